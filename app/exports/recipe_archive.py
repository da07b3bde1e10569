"""A recipe brought along: files from outside, taken apart in memory, read whole or refused with every fault.

Nothing is unpacked to disk and nothing is run: names in an archive are compared, never followed, sizes are bounded
before and while reading, and the contents are JSON and safetensors only.
"""

import io
import stat
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from analysis.errors import BadFile, BadRequest
from analysis.text.characters import in_view
from editors.edit.edit import Edit
from editors.recipes.recipe import edit_of
from editors.recipes.strict_json import NotStrict, strict_json

LARGEST_WEIGHTS = 256 << 20
"""Bytes of factors that are read from a browser; larger recipes go through the command line."""
LARGEST_RECIPE = 8 << 20
"""Bytes of JSON that are: a thousand facts with their prompts have some three million."""
MOST_MEMBERS = 16
MOST_TIMES, WHATEVER = 100, 1 << 20
"""How often its own size a member may open to; it may where it has no more than so many bytes then."""
RECIPE, WEIGHTS = ".json", ".safetensors"
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
ENTRY, MOST_ENTRIES = b"PK\x01\x02", 1000
"""How an archive's list marks a file, and how many are too many to read the list."""
UNREADABLE = (BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, LookupError)
KINDS = {RECIPE: LARGEST_RECIPE, WEIGHTS: LARGEST_WEIGHTS}


def brought(files: Sequence[tuple[str, bytes]]) -> Edit:
    """The edit of uploaded files: recipe and weights, or the .zip that was downloaded; marked as brought.

    `BadFile` lists every fault.
    """
    parts: dict[str, bytes] = {}
    for name, data in files:
        found = _members(_one_line(name), data) if PurePosixPath(name).suffix.lower() == ".zip" else {_kind(name): data}
        if twice := parts.keys() & found.keys():
            raise BadFile(f"There are two files ending in {min(twice)}. Give one recipe at a time.")
        parts |= found
    for kind, data in parts.items():
        _refuse_large(kind, len(data))
    if absent := [kind for kind in KINDS if kind not in parts]:
        raise BadFile(f"A {absent[0]} file is missing. A recipe is a .json and a .safetensors, or the .zip of both.")
    return edit_of(_json(parts[RECIPE]), parts[WEIGHTS]).as_brought()


def refuse_other_weights(edit: Edit, card: dict[str, Any] | None) -> None:
    """`BadRequest` unless an edit was made for the weights of the model with this card."""
    if card is None:
        raise BadRequest("The model is still being loaded. Nothing was changed; give the recipe again in a moment.")
    own, made_for = card["weights_hash"], edit.model["weights_hash"]
    if own != made_for:
        raise BadRequest(
            f"“{edit.title}” was made for other weights ({edit.model['name']}, {made_for[:8]}…) than those here "
            f"({card['name']}, {own[:8]}…). Nothing was changed. Choose that model first, on the page Models."
        )


def _one_line(name: str) -> str:
    """A file's name as it can stand in a sentence."""
    return " ".join(in_view(name).split())[:100] or "A file without a name"


def _kind(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in KINDS:
        raise BadFile(f"{_one_line(name)} is none of .json, .safetensors and .zip.")
    return suffix


def _members(name: str, data: bytes) -> dict[str, bytes]:
    """recipe.json and recipe.safetensors of an archive, by their endings; all else in it is left alone."""
    if (listed := data.count(ENTRY)) > MOST_ENTRIES:
        raise BadFile(f"{name} holds {listed:,} files; a recipe’s archive holds at most {MOST_MEMBERS}.")
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            inside = archive.infolist()
            if len(inside) > MOST_MEMBERS:
                raise BadFile(f"{name} holds {len(inside)} files; a recipe’s archive holds at most {MOST_MEMBERS}.")
            found: dict[str, bytes] = {}
            for member in inside:
                _refuse_member(name, member, inside)
                place = PurePosixPath(member.filename)
                kind = place.suffix
                if place.name in (f"recipe{RECIPE}", f"recipe{WEIGHTS}") and "__MACOSX" not in place.parts:
                    if kind in found:
                        raise BadFile(f"{name} holds {place.name} twice.")
                    found[kind] = _read(archive, member, kind)
            return found
    except UNREADABLE as error:
        raise BadFile(f"{name} is not an archive that can be read ({error}).") from error


def _refuse_member(name: str, member: ZipInfo, inside: Sequence[ZipInfo]) -> None:
    """`BadFile` for what nobody packs who packs a recipe, though nothing of it would be followed."""
    told, place = _one_line(member.filename), PurePosixPath(member.filename.replace("\\", "/"))
    if not place.parts or place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
        raise BadFile(f"{name} holds “{told}”, a name that leads out of the archive.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadFile(f"{name} holds “{told}”, which is a link to another file.")
    if place.suffix.lower() in ARCHIVES:
        raise BadFile(f"{name} holds “{told}”, an archive in the archive. Give that one by itself.")
    if [one.filename for one in inside].count(member.filename) > 1:
        raise BadFile(f"{name} holds “{told}” twice.")


def _read(archive: ZipFile, member: ZipInfo, kind: str) -> bytes:
    """A member's bytes; never more than its kind may have, whatever its header says."""
    _refuse_large(kind, member.file_size)
    if member.file_size > max(WHATEVER, MOST_TIMES * member.compress_size):
        raise BadFile(
            f"The {kind} file of the archive opens to {member.file_size / 1e6:,.0f} MB, more than {MOST_TIMES} times "
            "its size in there; no recipe does. Give its two files as they are."
        )
    with archive.open(member) as file:
        data = file.read(KINDS[kind] + 1)
    _refuse_large(kind, len(data))
    return data


def _refuse_large(kind: str, size: int) -> None:
    if size > KINDS[kind]:
        raise BadFile(f"The {kind} file has {size / 1e6:,.0f} MB; at most {KINDS[kind] / 1e6:,.0f} MB are read here.")


def _json(data: bytes) -> Any:
    try:
        return strict_json(data.decode("utf-8"))
    except (UnicodeDecodeError, NotStrict) as error:
        raise BadFile(f"The .json file is not a recipe ({error}).") from error
