"""The edit a recipe describes, from its JSON and its factors."""

import math
from typing import Any

import numpy as np

from analysis.one_of import STORED
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.pairs import Pairs
from editors.edit.probes import Answers, Glance, Probe
from editors.edit.request import EditRequest
from editors.recipes.factors_file import SOLVING


def as_edit(recipe: dict[str, Any], held: dict[str, np.ndarray]) -> Edit:
    """The edit of a recipe of the right form; it keeps no trail and no signature."""
    method, evaluation = recipe["method"], recipe["evaluation"]
    request = EditRequest.model_validate(recipe["request"], context=STORED)
    facts = len(request.facts)
    return Edit(
        request=request,
        model=recipe["model"],
        changes=[
            LayerChange(
                layer=tensor["layer"],
                name=tensor["name"],
                transposed=tensor["transposed"],
                left=held[f"{tensor['name']}.left"],
                right=held[f"{tensor['name']}.right"],
                base_hash=recipe["base"]["tensors"].get(tensor["name"], ""),
                weight_norm=float(tensor["weight_norm"]),
                pairs=_pairs(tensor, held),
            )
            for tensor in recipe["artefact"]["tensors"]
        ],
        found=Found(
            loss=_curve(method["loss"], facts),
            probability=_curve(method["probability"], facts),
            former=_curve(method["former"], facts),
            key_ratio=[math.nan if x is None else x for x in method["key_ratio"]],
            written=[math.nan if x is None else x for x in method["written"]],
            condition=math.nan if method["condition"] is None else method["condition"],
            statistics=method["statistics"],
            values=method.get("values"),
            passes=method.get("passes"),
        ),
        probes=[Probe(one["fact"], one["kind"], one["prompt"], one["new"], one["old"]) for one in evaluation],
        before=_answers([one["before"] for one in evaluation]),
        after=_answers([one["after"] for one in evaluation]),
        glance=_glance(recipe.get("glance")),
        warnings=list(method["warnings"]),
        built_on=list(recipe["composition"]["built_on"]),
        provenance=dict(method["provenance"])
        | ({"base": recipe["base"]["obtain"]} if "obtain" in recipe["base"] else {}),
    ).by(recipe["identity"]["author"])


def _pairs(tensor: dict[str, Any], held: dict[str, np.ndarray]) -> Pairs | None:
    """The pairs kept with a change; None where the recipe keeps none."""
    if (kept := tensor.get("solving")) is None:
        return None
    keys, whitened, residuals = (held[f"{tensor['name']}.{part}"] for part in SOLVING)
    return Pairs(keys, whitened, residuals, float(kept["weight"]), float(kept["anchor"]), kept["normal"])


def _curve(rows: list[list[float | None]], facts: int) -> np.ndarray:
    """A curve of the search, (steps, n); there may be none, where nothing was sought."""
    return np.array(rows, dtype=float) if rows else np.empty((0, facts))


def _glance(data: dict[str, Any] | None) -> Glance | None:
    if data is None:
        return None
    texts = [(a, b, c) for a, b, c in data["texts"]]
    return Glance(data["prompt"], list(data["words"]), np.array(data["before"]), np.array(data["after"]), texts)


def _answers(rows: list[dict[str, Any]]) -> Answers:
    def column(name: str, kind: type) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=kind)

    return Answers(
        column("new", float),
        column("old", float),
        column("new_greedy", bool),
        column("old_greedy", bool),
        [row["said"] for row in rows],
        column("said_probability", float),
    )
