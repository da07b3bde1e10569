"""Archives of recipes: names that lead elsewhere, the same name twice, links, bombs, archives in archives."""

import io
import json
import stat
import warnings
from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from app.bench.hostile.kind import Kind
from app.bench.hostile.mutations import TEXTS, pick
from app.bench.hostile.valid import Files, through, valid
from editors.recipes.recipe import recipe_of

ELSEWHERE = tuple(f"{place}recipe.json" for place in ("../", "/", "a/../../", "C:\\", "..\\", "//host/share/"))
CHANGES = ("same", "named", "odd", "twice", "link", "bomb", "many", "nested", "folder", "more", "gone", "huge")
NAMES = ("mine.zip", "MINE.ZIP", "../mine.zip", "a\u202eb.zip", "mine.json", "mine", "a" * 300 + ".zip")
Members = list[tuple[ZipInfo, bytes]]


def kind() -> Kind:
    """Every second one with its bytes changed as well."""
    return Kind("archive", _inputs, through)


def _inputs(draw: np.random.Generator) -> Iterator[tuple[str, Files]]:
    while True:
        recipe, payload = recipe_of(valid(int(draw.integers(3))))
        members: Members = [
            (ZipInfo("recipe.json"), json.dumps(recipe).encode()),
            (ZipInfo("recipe.safetensors"), payload),
        ]
        label, members = _changed(draw, members)
        data = _packed(members, int(pick(draw, (ZIP_STORED, ZIP_DEFLATED))))
        if draw.random() < 0.4:
            done, data = _bytes(draw, data)
            label = f"{label} {done}"
        yield label, [(pick(draw, NAMES), data)]


def _changed(draw: np.random.Generator, members: Members) -> tuple[str, Members]:
    what = pick(draw, CHANGES)
    (first, data), second = members
    if what == "named":
        return what, [(ZipInfo(pick(draw, ELSEWHERE)), data), second]
    if what == "odd":
        return what, [*members, (ZipInfo(pick(draw, TEXTS)[:60_000] or "x"), b"x")]
    if what == "twice":
        return what, [*members, pick(draw, members)]
    if what == "link":
        link = ZipInfo("recipe.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        return what, [(link, b"/etc/passwd"), second]
    if what == "bomb":
        return what, [(first, b" " * (1 << 20) * int(pick(draw, (1, 40))) + data), second]
    if what == "many":
        count = int(pick(draw, (10, 40, 2_000)))
        return what, [*members, *((ZipInfo(f"{number}.txt"), b"") for number in range(count))]
    if what == "nested":
        return what, [(ZipInfo(pick(draw, ("a.zip", "recipe.zip", "a.tar.gz"))), _packed(members, ZIP_STORED))]
    if what == "folder":
        folder = pick(draw, ("a/", "__MACOSX/", "a/b/c/", "./"))
        return what, [(ZipInfo(folder + one.filename), held) for one, held in members]
    if what == "more":
        return what, [*members, (ZipInfo("README.md"), b"# x"), (ZipInfo("evil.py"), b"raise SystemExit")]
    if what == "gone":
        return what, [pick(draw, members)]
    if what == "huge":
        return what, [(first, data[:-1] + b" " * 100_000 + b"}"), second]
    return what, members


def _packed(members: Members, way: int) -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same name twice is meant
        for info, data in members:
            try:
                file.writestr(info, data, way)
            except UnicodeEncodeError:  # half a character is no name
                file.writestr("x", data, way)
    return held.getvalue()


def _bytes(draw: np.random.Generator, data: bytes) -> tuple[str, bytes]:
    at = int(draw.integers(len(data)))
    lists = data.rfind(b"PK\x01\x02")
    sizes = lists + 20 if lists >= 0 else at
    told = {
        "cut": data[:at],
        "flipped": data[:at] + bytes([data[at] ^ int(draw.integers(1, 256))]) + data[at + 1 :],
        "before": b"MZ" * 50 + data,
        "behind": data + b"x" * int(pick(draw, (1, 70_000))),
        "lied": data[:sizes] + bytes(draw.integers(0, 256, 8, dtype=np.uint8)) + data[sizes + 8 :],
        "locked": data[: lists + 8] + b"\x01\x00" + data[lists + 10 :] if lists >= 0 else data,
    }
    label = pick(draw, list(told))
    return label, told[label]
