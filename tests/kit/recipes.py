"""Edits of tiny models as recipes, altered and sealed again."""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from analysis.model.language_model import LanguageModel
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.methods.run import write
from editors.recipes.recipe import recipe_id
from tests.conftest import cached
from tests.kit.edits import CITY, TOWER, asked

IDS = torch.tensor([[1, 2, 3, 4, 5, 8], [9, 2, 31, 7, 40, 11]])


@cache
def made(family: str = "llama", method: str = "rome") -> Edit:
    facts = (TOWER,) if method == "rome" else (TOWER, CITY)
    return write(cached(family), asked(method, *facts))


def edited_logits(lm: LanguageModel, edit: Edit) -> Tensor:
    with written_over(lm, [edit]), torch.no_grad():
        return lm.logits(IDS)


def logits_of(model: Any) -> Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=IDS, use_cache=False).logits.float()


def same(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().max()) <= 1e-4


def copy_of(recipe: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(recipe))


def resealed(recipe: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """The recipe with the hashes of what it holds now, so that they are no fault."""
    whole = copy_of(recipe)
    whole["artefact"]["sha256"] = hashlib.sha256(payload).hexdigest()
    whole["id"] = recipe_id(whole)
    return whole


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict | list) and value:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path


def altered(recipe: dict[str, Any], path: tuple) -> dict[str, Any]:
    changed = copy_of(recipe)
    place = changed
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    else:
        place[path[-1]] = value + 1 if isinstance(value, int | float) else f"{value}x"
    return changed


def turned_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(part) for part in value] if isinstance(value, list) else value
