"""What says of itself where its functions are: “module:attribute”, read when they are first wanted.

So a thing can be listed without importing torch, pandas or Streamlit. Packages declare theirs as entry points, which
`analysis.packages` reads.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, get_type_hints

from analysis.errors import BadRequest

Named = Annotated[str, "module:attribute"]
"""The name of a function or a type that is read later."""


@dataclass(frozen=True)
class Declared:
    """Base of entries: a name, and fields that name functions and types."""

    kind: ClassVar[str] = "entry"
    """What it is, in a word."""
    name: str
    """What commands, requests and files call it."""

    def named(self) -> tuple[str, ...]:
        """Those of its fields that name a function or a type."""
        hints = get_type_hints(type(self), include_extras=True)
        return tuple(name for name, kind in hints.items() if kind == Named and getattr(self, name))

    def read(self, field: str) -> Any:
        """What one of the fields names; `BadRequest` where it cannot be read."""
        return self._read(field, getattr(self, field))

    def _read(self, field: str, name: str) -> Any:
        try:
            return resolved(name)
        except Exception as error:  # its author may be somebody else
            raise BadRequest(
                f"{field} of the {self.kind} “{self.name}” cannot be read from {name}: {error}."
            ) from error


def resolved(name: str) -> Any:
    """What “module:attribute” names."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
