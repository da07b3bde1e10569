"""What other packages declare, as entry points of a group: each names an entry of the kind the group is of.

What is at fault with one is said in a sentence, and it is left out: a package that does not fit ends nothing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Generic, TypeVar

from analysis.declared import Declared

T = TypeVar("T", bound=Declared)
Fault = Callable[[T, Collection[str]], str]
"""What is wrong with an entry where these names are taken, empty where nothing is."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """Entries of other packages by name, the package and version each is of, and a sentence for each left out."""

    entries: dict[str, T]
    packages: dict[str, str]
    faults: list[str]


def outside(group: str, kind: type[T], taken: Collection[str], fault: "Fault[T]") -> Found[T]:
    """The entries of a group, those left out in which `fault` sees something; `taken` are names in use already."""
    found: Found[T] = Found({}, {}, [])
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        read = _read(point, kind)
        said = read if isinstance(read, str) else _seen(read, {*taken, *found.entries}, fault)
        if isinstance(read, kind) and not said:
            found.entries[read.name] = read
            found.packages[read.name] = f"{point.dist.name} {point.dist.version}" if point.dist else "a package"
        else:
            package = point.dist.name if point.dist else "a package"
            found.faults.append(f"The {kind.kind} “{point.name}” of {package} is left out: {said}.")
    return found


def _read(point: EntryPoint, kind: type[T]) -> T | str:
    try:
        entry = point.load()
    except (Exception, SystemExit) as error:  # whatever somebody else's module does when it is imported
        return f"{point.value} cannot be read ({_line(error)})"
    return entry if isinstance(entry, kind) else f"{point.value} is no {kind.__name__} of {kind.__module__}"


def _seen(entry: T, taken: Collection[str], fault: "Fault[T]") -> str:
    try:
        return fault(entry, taken)
    except Exception as error:  # of fields that hold something else than they are to
        return f"its fields cannot be read ({_line(error)})"


def unsaid(entry: Declared, fields: Collection[str]) -> str:
    """The fault of an entry that says nothing in one of the fields; empty where all are said."""
    for field in fields:
        if not isinstance(text := getattr(entry, field), str) or not text.strip():
            return f"it has no {field}"
    return ""


def unread_fields(entry: Declared) -> str:
    """The fault of an entry in which one of the names cannot be read; empty where there is none."""
    for field in entry.named():
        if why := unread(getattr(entry, field)):
            return f"its {field} is “{getattr(entry, field)}”; {why}"
    return ""


def unread(name: str) -> str:
    """Why “module:attribute” cannot be read; the module's parents are imported, it itself is not."""
    module, _, attribute = str(name).partition(":")
    if not module or not attribute.isidentifier():
        return "it is written module:attribute"
    try:
        there = find_spec(module) is not None
    except Exception:  # of a parent that cannot be imported
        there = False
    return "" if there else f"there is no module {module}"


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":. ")
