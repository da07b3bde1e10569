"""A word of a request that must be one of those there are, where packages may add some.

A `Literal` is fixed when it is written. What was stored or is read from a file may name one whose package is absent
here: read with the context `STORED`, any word of small letters, digits, hyphens and underscores will do.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

WORD = re.compile(r"[a-z][a-z0-9_-]*")
STORED = {"stored": True}
"""Context by which pydantic reads what was written before."""


@dataclass(frozen=True)
class OneOf:
    """Stands in `Annotated[str, OneOf(…)]`: refuses other words with a sentence, and lists them in a JSON Schema."""

    noun: str
    words: Callable[[], Iterable[str]]
    """Those there are, asked anew each time."""

    def refuse(self, word: str) -> None:
        """`ValueError` for a word there is none of."""
        if word not in (there := list(self.words())):
            raise ValueError(f"there is no {self.noun} “{word}”; there are {', '.join(there)}")

    def _checked(self, word: str, info: ValidationInfo) -> str:
        if not stored(info):
            self.refuse(word)
        elif not WORD.fullmatch(word):
            raise ValueError(f"“{word}” is no name of a {self.noun}")
        return word

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.words())}


def stored(info: ValidationInfo) -> bool:
    """Whether what is read was written before."""
    return bool(info.context and info.context.get("stored"))
