"""The JSON of recipes: each field changed and sealed again, and text that is almost JSON."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.bench.hostile.kind import Kind
from app.bench.hostile.mutations import changed, pick
from app.bench.hostile.valid import Files, pair, resealed, through, valid
from editors.recipes.recipe import recipe_of


def kind() -> Kind:
    """Two thirds changed values, one third changed text."""
    return Kind("recipe", _inputs, through)


def _inputs(draw: np.random.Generator) -> Iterator[tuple[str, Files]]:
    while True:
        recipe, payload = recipe_of(valid(int(draw.integers(3))))
        if draw.random() < 2 / 3:
            label, data = changed(draw, recipe)
            for _ in range(int(draw.integers(2))):
                more, data = changed(draw, data) if data else ("", data)
                label = f"{label} {more}"
            sealed = resealed(data, payload) if draw.random() < 0.9 else data
            yield label, pair(_text(sealed), payload)
        else:
            label, text = _almost(draw, recipe)
            yield label, pair(text, payload)


def _text(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _almost(draw: np.random.Generator, recipe: dict[str, Any]) -> tuple[str, bytes]:
    """Text of a recipe with a fault in the text itself."""
    text = json.dumps(recipe, ensure_ascii=False)
    at = int(draw.integers(len(text)))
    numbers = [place for place, char in enumerate(text) if char.isdigit()]
    digit = int(pick(draw, numbers))
    said = {
        "cut": text[:at].encode(),
        "flipped": (text[:at] + chr(int(draw.integers(1, 0x250))) + text[at + 1 :]).encode(),
        "twice-said": text.replace('"schema":', '"schema": "x", "schema":', 1).encode(),
        "twice-said-deep": text.replace('"rank":', '"rank": 1, "rank":', 1).encode(),
        "nan": (text[:digit] + "NaN" + text[digit + 1 :]).encode(),
        "huge": (text[:digit] + "9" * int(pick(draw, (30, 5_000, 400))) + text[digit + 1 :]).encode(),
        "infinite": (text[:digit] + "1e999" + text[digit + 1 :]).encode(),
        "deep": (b"[" * int(pick(draw, (20, 900, 100_000)))) + text.encode(),
        "deep-inside": text.replace('"glance":', '"glance": ' + "[" * 5_000 + "]" * 5_000 + ', "x":', 1).encode(),
        "behind": (text + pick(draw, ("x", "{}", "\x00", text))).encode(),
        "marked": b"\xef\xbb\xbf" + text.encode(),
        "wide": text.encode("utf-16"),
        "latin": text.encode("latin-1", "replace"),
        "control": (text[:at] + pick(draw, ("\x00", "\x01", "\x7f", "\u202e")) + text[at:]).encode(),
        "escaped": text.replace('"city', '"\\u0000\\ud800city').encode(),
        "nothing": pick(draw, (b"", b" ", b"null", b"[]", b"1", b'"x"', b"{}", b"\xff\xfe")),
    }
    label = pick(draw, list(said))
    return label, said[label]
