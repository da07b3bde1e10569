"""The factors of recipes: numbers, names, types and shapes that are not what the recipe says, and headers that lie."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from safetensors.numpy import save

from app.bench.hostile.kind import Kind
from app.bench.hostile.mutations import changed, pick
from app.bench.hostile.valid import Files, pair, resealed, through, valid
from editors.recipes.factors_file import factors
from editors.recipes.recipe import recipe_of


def kind() -> Kind:
    """Half tensors, half headers and bytes."""
    return Kind("weights", _inputs, through)


def _inputs(draw: np.random.Generator) -> Iterator[tuple[str, Files]]:
    while True:
        recipe, payload = recipe_of(valid(int(draw.integers(3))))
        label, other = _tensors(draw, payload) if draw.random() < 0.5 else _bytes(draw, payload)
        if draw.random() < 0.5:
            recipe = _follow(draw, recipe)
            label = f"{label}, followed by the recipe"
        yield label, pair(resealed(recipe, other), other)


def _follow(draw: np.random.Generator, recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe's list of matrices, changed too."""
    one = pick(draw, recipe["artefact"]["tensors"])
    name = pick(draw, ("rank", "shape", "transposed", "layer", "name", "weight_norm", "change_norm"))
    told = {
        "rank": pick(draw, (0, -1, 2, 10**9)),
        "shape": pick(draw, (one["shape"][::-1], [0, 0], [2**40, 2**40], [1], one["shape"] + [1])),
        "transposed": not one["transposed"],
        "layer": pick(draw, (0, 3, 4, -1, 10**6)),
        "name": pick(draw, ("x", "", "lm_head.weight", "../x", "a b", one["name"].replace("1", "2"))),
        "weight_norm": pick(draw, (0.0, -1.0, 1e-300, 1e30, 1e39)),
        "change_norm": pick(draw, (0.0, -1.0, 1e30)),
    }
    one[name] = told[name]
    return recipe


def _tensors(draw: np.random.Generator, payload: bytes) -> tuple[str, bytes]:
    held = factors(payload)
    name = pick(draw, sorted(held))
    array = held[name]
    what = pick(draw, ("number", "type", "shape", "gone", "more", "renamed", "zero", "large", "turned", "empty"))
    if what == "number":
        array.flat[int(draw.integers(array.size))] = pick(draw, (np.nan, np.inf, -np.inf, 1e38, 1e-45))
    elif what == "type":
        held[name] = array.astype(pick(draw, (np.float64, np.float16, np.int32, np.uint8, np.bool_)))
    elif what == "shape":
        held[name] = pick(draw, (array[:-1], array.reshape(-1), array[None], np.concatenate([array, array])))
    elif what == "gone":
        del held[name]
    elif what == "more":
        held[pick(draw, ("x", f"{name}.left", "", "__metadata"))] = array
    elif what == "renamed":
        held[pick(draw, (name.upper(), f" {name}", name[:-1]))] = held.pop(name)
    elif what == "zero":
        held[name] = np.zeros_like(array)
    elif what == "large":
        held[name] = array * np.float32(pick(draw, (1e10, 1e20, 1e35)))
    elif what == "turned":
        held[name] = np.ascontiguousarray(array.T)
    else:
        held[name] = np.zeros((0, *array.shape[1:]), np.float32)
    return f"{what} {name}", save(held)


def _bytes(draw: np.random.Generator, payload: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(payload[:8], "little")
    header, numbers = json.loads(payload[8 : 8 + size]), payload[8 + size :]
    what = pick(draw, ("length", "header", "header", "places", "overlap", "cut", "behind", "flipped", "twice", "text"))
    if what == "length":
        lie = pick(draw, (0, size - 1, size + 1, len(payload), 2**32, 2**63, 2**64 - 1))
        return what, lie.to_bytes(8, "little") + payload[8:]
    if what in ("cut", "behind", "flipped"):
        at = int(draw.integers(len(payload)))
        other = bytes([payload[at] ^ int(draw.integers(1, 256))])
        told = {"cut": payload[:at], "behind": payload + b"\0" * int(pick(draw, (1, 4, 4096)))}
        return what, told.get(what, payload[:at] + other + payload[at + 1 :])
    if what == "twice":
        text = json.dumps(header)
        return what, _whole(f"{text[:-1]}, {text[1:]}".encode(), numbers)
    if what == "text":
        return what, _whole(pick(draw, (b"", b"[]", b"{", b"\xff\xff", b"[" * 5_000, b'{"a": NaN}', b"null")), numbers)
    if what == "header":
        label, header = changed(draw, header)
        return f"header {label}", _whole(json.dumps(header).encode("utf-8", "surrogatepass"), numbers)
    tensors = [one for one in header.values() if "data_offsets" in one]
    one, other = pick(draw, tensors), pick(draw, tensors)
    begin, end = one["data_offsets"]
    if what == "overlap":
        one["data_offsets"] = other["data_offsets"] if math.prod(one["shape"]) else [begin, end]
    else:
        one["data_offsets"] = list(
            pick(draw, ((begin + 4, end + 4), (end, begin), (begin, 2**62), (-4, end), (begin, begin)))
        )
    return what, _whole(json.dumps(header).encode(), numbers)


def _whole(header: bytes, numbers: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + numbers
