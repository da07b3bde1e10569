"""The factors of a recipe out of its safetensors file, held to what the recipe says of them.

The header is read here, before anything is made of the numbers: names, types, shapes and places are those the recipe
gives, and the places lie one behind the other with nothing between, over or beyond them.
"""

import math
from typing import Any

import numpy as np

from editors.recipes.strict_json import NotStrict, strict_json

LARGEST_HEADER = 8 << 20
"""Bytes."""
SIDES = ("left", "right")
SOLVING = ("keys", "whitened", "residuals")
"""Arrays of the pairs kept with a change, (d_k, n), (d_k, n) and (d, n)."""
BYTES, NUMBERS = {"F32": 4, "F64": 8}, {"F32": "<f4", "F64": "<f8"}


def factor_faults(payload: bytes, tensors: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the factors of the matrices a recipe lists, a sentence each."""
    try:
        header, begin = _header(payload)
    except NotStrict as error:
        return [f"The weights cannot be read: {error}."]
    wanted = _wanted(tensors)
    found = [f"{name}: the weights beside it do not hold it." for name in wanted if name not in header]
    found += [f"{name}: the weights hold it, and the recipe does not name it." for name in header if name not in wanted]
    if found:
        return found
    for name, (kind, shape) in wanted.items():
        found += _tensor_faults(name, header[name], kind, shape)
    return found or _place_faults(header, len(payload) - begin) or _number_faults(factors(payload))


def factors(payload: bytes) -> dict[str, np.ndarray]:
    """The factors by name, float32, and arrays of pairs, float64, of a file without faults."""
    header, begin = _header(payload)
    return {name: _numbers(payload, begin, told) for name, told in header.items()}


def _header(payload: bytes) -> tuple[dict[str, dict[str, Any]], int]:
    """What the file says of its tensors, and where its numbers begin."""
    size = int.from_bytes(payload[:8], "little")
    if len(payload) < 8 or size > min(len(payload) - 8, LARGEST_HEADER):
        raise NotStrict(f"their header should have {size:,} bytes, and the file has {len(payload):,}")
    try:
        header = strict_json(payload[8 : 8 + size].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotStrict("their header is no text") from error
    if not isinstance(header, dict):
        raise NotStrict("their header names no tensors")
    header.pop("__metadata__", None)
    for name, told in header.items():
        if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"} or not _numbered(told):
            raise NotStrict(f"{name} is not said with dtype, shape and data_offsets")
    return header, 8 + size


def _numbered(told: dict[str, Any]) -> bool:
    both = (told["shape"], told["data_offsets"])
    lists = all(isinstance(one, list) and all(type(part) is int and part >= 0 for part in one) for one in both)
    return lists and len(told["data_offsets"]) == 2 and isinstance(told["dtype"], str)


def _wanted(tensors: list[dict[str, Any]]) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of every array the recipe says lies here."""
    shapes = {}
    for tensor in tensors:
        (d, d_k), rank, kept = tensor["shape"], tensor["rank"], tensor.get("solving")
        for side, shape in zip(SIDES, ([d, rank], [rank, d_k]), strict=True):
            shapes[f"{tensor['name']}.{side}"] = ("F32", shape)
        if kept:
            n = kept["pairs"]
            for part, shape in zip(SOLVING, ([d_k, n], [d_k, n], [d, n]), strict=True):
                shapes[f"{tensor['name']}.{part}"] = ("F64", shape)
    return shapes


def _tensor_faults(name: str, told: dict[str, Any], kind: str, shape: list[int]) -> list[str]:
    if told["dtype"] != kind:
        return [f"{name}: the factors are {told['dtype']}, not {kind}."]
    if told["shape"] != shape:
        return [f"{name}: the factors are {tuple(told['shape'])}, not {tuple(shape)} as the recipe says."]
    begin, end = told["data_offsets"]
    if end - begin != (size := BYTES[kind] * math.prod(shape)):
        return [f"{name}: it has {end - begin:,} bytes, and its shape needs {size:,}."]
    return []


def _place_faults(header: dict[str, dict[str, Any]], size: int) -> list[str]:
    """Tensors that overlap, leave bytes between them, or do not end where the file does."""
    at = 0
    for name, told in sorted(header.items(), key=lambda one: one[1]["data_offsets"]):
        begin, end = told["data_offsets"]
        if begin != at:
            return [f"{name}: it begins at byte {begin:,}, and what is before it ends at byte {at:,}."]
        at = end
    return [] if at == size else [f"The factors end at byte {at:,}, and the weights at byte {size:,}."]


def _number_faults(held: dict[str, np.ndarray]) -> list[str]:
    return [f"{name}: the factors hold numbers that are not finite." for name, one in held.items() if not _finite(one)]


def _finite(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all())


def _numbers(payload: bytes, begin: int, told: dict[str, Any]) -> np.ndarray:
    count = math.prod(told["shape"])
    kind = NUMBERS[told["dtype"]]
    return np.frombuffer(payload, kind, count, begin + told["data_offsets"][0]).reshape(told["shape"]).copy()
