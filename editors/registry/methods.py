"""The methods there are: ours, then those that other packages declare as entry points of `palimpsest.editors`.

Requests, forms, tables and the terminal all ask here. They are read when one of them is first asked about.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from analysis.declared import resolved
from analysis.errors import BadRequest
from analysis.one_of import WORD, OneOf
from analysis.packages import outside, unread_fields, unsaid
from editors.registry.entry import Method
from editors.registry.ours import OURS

log = logging.getLogger(__name__)
GROUP = "palimpsest.editors"
NO_EDIT = "none"
"""The version of a model that nothing is written in."""
PACKAGES: dict[str, str] = {}
"""The package and version of each method that is not ours."""


class _Methods(Mapping[str, Method]):
    """The methods by name."""

    def __init__(self) -> None:
        self._held: dict[str, Method] = {}

    def read(self) -> None:
        """Read ours, and after them those of other packages; what is at fault with one of these is said."""
        own = {method.name: method for method in OURS}
        found = outside(GROUP, Method, {*own, NO_EDIT}, _fault)
        self._held = own | found.entries
        PACKAGES.clear()
        PACKAGES.update(found.packages)
        for fault in found.faults:
            log.warning(fault)

    def _all(self) -> dict[str, Method]:
        if not self._held:
            self.read()
        return self._held

    def __getitem__(self, name: str) -> Method:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


METHODS = _Methods()


def method_of(name: str) -> Method:
    """The method with this name; `BadRequest`, with those there are, where there is none."""
    if name not in METHODS:
        raise BadRequest(
            f"There is no method “{name}” here. There are {', '.join(METHODS)}. An edit made with another package's "
            "method can be put on without it, but not written again."
        )
    return METHODS[name]


def writing() -> list[str]:
    """Methods that write facts."""
    return [name for name, method in METHODS.items() if not method.whole]


def of_one_layer() -> list[str]:
    """Methods that write facts to one layer when none is named."""
    return [name for name in writing() if METHODS[name].one_layer]


def users_of(setting: str) -> str:
    """The methods that read a field of the request, as people read them."""
    return ", ".join(method.label for method in METHODS.values() if setting in method.uses)


MethodName = Annotated[str, OneOf("method", lambda: METHODS)]
WritingName = Annotated[str, OneOf("method that writes facts", writing)]
OneLayerName = Annotated[str, OneOf("method of one layer", of_one_layer)]


def _fault(method: Method, taken: Collection[str]) -> str:
    """What is wrong with a method as far as can be seen without reading what it names; empty where nothing is."""
    if not isinstance(method.name, str) or not WORD.fullmatch(method.name):
        return f"its name is “{method.name}”; a name has small letters, digits, hyphens and underscores"
    if method.name in taken:
        return f"there is a method “{method.name}” already"
    if missing := unsaid(method, ("label", "does", "source")):
        return missing
    if bool(method.write) == bool(method.whole):
        return "it names either write, which makes the changes, or whole, which makes the edit"
    if fault := unread_fields(method):
        return fault
    fields = resolved("editors.edit.request:EditRequest").model_fields
    named = [*method.uses, *method.defaults, *(name for names in method.chosen_with.values() for name in names)]
    if unknown := [name for name in named if name not in fields]:
        return f"it speaks of “{unknown[0]}”, which is no field of EditRequest"
    if method.silences:
        return "it uses heads, which only a method of the workbench itself silences"
    return ""
