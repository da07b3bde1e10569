"""The recipe: an edit as something to keep, send and check.

Canonical JSON that a person can read, beside a safetensors file with the low-rank factors. The id is
the hash of the JSON without it, the JSON holds the hash of the factors, so nothing can change
unnoticed. Nothing in it is code. A trail of what was done with it may lie beside it, under “audit” (see
`editors.recipes.audit_trail`); the id is not a hash of that.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from analysis.errors import BadFile, BadRequest
from analysis.one_of import STORED
from analysis.whole_files import replacing
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.probes import Answers, Glance, Kind, Probe
from editors.edit.request import EditRequest
from editors.recipes.audit_trail import faults as trail_faults
from editors.recipes.canonical_json import content_hash

SCHEMA = "palimpsest-recipe/1"
LARGEST_JSON, LARGEST_PAYLOAD = 32 << 20, 4 << 30
"""Bytes."""
GROUPS = ("identity", "base", "request", "method", "artefact", "evaluation", "composition", "model")
BASE = ("name", "source", "revision", "weights_hash", "architecture", "dtype")
"""What `base` repeats of `model`."""
BESIDE = ("author", "audit", "base")
"""What an edit's provenance holds that a recipe keeps elsewhere."""
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, ValidationError, SafetensorError)
"""What reading a recipe raises that was made up or cut short."""


def recipe_id(recipe: dict[str, Any]) -> str:
    """Hash of everything a recipe says but its id, and of nothing that was done with it since."""
    return content_hash({name: value for name, value in recipe.items() if name not in ("id", "audit")})


def short_id(edit: Edit) -> str:
    """The first digits of the id an edit's recipe has: what pages show and files are called by."""
    return str(recipe_of(edit)[0]["id"])[:12]


def recipe_of(edit: Edit, author: str = "") -> tuple[dict[str, Any], bytes]:
    """An edit as recipe and payload; `author` takes the place of the one it has.

    `BadRequest` for an edit of which nothing was asked: a recipe says what was said before and after.
    """
    if not edit.before.said and not edit.request.silences:
        raise BadRequest(
            f"“{edit.title}” was written without asking what is said before and after, which a recipe holds. Write it "
            "again with probe=True."
        )
    payload = save(
        {
            f"{change.name}.{side}": np.ascontiguousarray(getattr(change, side), dtype=np.float32)
            for change in edit.changes
            for side in ("left", "right")
        }
    )
    model = edit.model
    recipe: dict[str, Any] = {
        "schema": SCHEMA,
        "identity": {
            "title": edit.title,
            "author": author or edit.author,
            "created_at": edit.provenance.get("created_at", ""),
        },
        "base": {name: model[name] for name in BASE}
        | {"tensors": {change.name: change.base_hash for change in edit.changes}}
        | ({"obtain": edit.provenance["base"]} if "base" in edit.provenance else {}),
        "request": edit.request.model_dump(mode="json"),
        "method": {
            "editor": edit.request.method,
            "provenance": {name: value for name, value in edit.provenance.items() if name not in BESIDE},
            "statistics": edit.found.statistics,
            "condition": _number(edit.found.condition),
            "key_ratio": [_number(x) for x in edit.found.key_ratio],
            "written": [_number(x) for x in edit.found.written],
            "loss": _numbers(edit.found.loss),
            "probability": _numbers(edit.found.probability),
            "former": _numbers(edit.found.former),
            "warnings": edit.warnings,
        },
        "artefact": {
            "form": "low-rank",
            "sha256": hashlib.sha256(payload).hexdigest(),
            "bytes": len(payload),
            "tensors": [
                {
                    "name": change.name,
                    "layer": change.layer,
                    "transposed": change.transposed,
                    "shape": [len(change.left), change.right.shape[1]],
                    "rank": change.rank,
                    "weight_norm": change.weight_norm,
                    "change_norm": change.norm,
                }
                for change in edit.changes
            ],
        },
        "evaluation": [
            {
                "fact": probe.fact,
                "kind": probe.kind,
                "prompt": probe.prompt,
                "new": probe.new,
                "old": probe.old,
                "before": _answers(edit.before, index),
                "after": _answers(edit.after, index),
            }
            for index, probe in enumerate(edit.probes)
        ],
        "before": _summary(edit, edit.before),
        "after": _summary(edit, edit.after),
        "glance": None
        if edit.glance is None
        else {
            "prompt": edit.glance.prompt,
            "words": edit.glance.words,
            "before": [float(x) for x in edit.glance.before],
            "after": [float(x) for x in edit.glance.after],
            "texts": [list(three) for three in edit.glance.texts],
        },
        "composition": {"edit": edit.id, "built_on": edit.built_on},
        "model": model,
    }
    recipe["id"] = recipe_id(recipe)
    trail = edit.provenance.get("audit")
    if trail and not trail_faults(trail, recipe["id"]):  # under another author's name it is another recipe
        recipe["audit"] = trail
    return recipe, payload


def _summary(edit: Edit, answers: Answers) -> dict[str, Any]:
    """What the model says to the facts themselves and around them, at one glance."""

    def of(kind: str) -> list[int]:
        return [index for index, probe in enumerate(edit.probes) if probe.kind == kind]

    return {
        "target": [float(answers.new[index]) for index in of("rewrite")],
        "original": [float(answers.old[index]) for index in of("rewrite")],
        "argmax": [answers.said[index] for index in of("rewrite")],
        "paraphrases": [float(answers.new[index]) for index in of("paraphrase")],
        "neighbours": [float(answers.old[index]) for index in of("neighbour")],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[list[float | None]]:
    return [[_number(x) for x in row] for row in values]


def _answers(answers: Answers, index: int) -> dict[str, Any]:
    return {
        "new": float(answers.new[index]),
        "old": float(answers.old[index]),
        "new_greedy": bool(answers.new_greedy[index]),
        "old_greedy": bool(answers.old_greedy[index]),
        "said": answers.said[index],
        "said_probability": float(answers.said_probability[index]),
    }


def edit_of(recipe: dict[str, Any], payload: bytes) -> Edit:
    """The edit a recipe describes; `BadFile` lists every fault."""
    problems = faults(recipe, payload)
    if problems:
        raise BadFile(f"The recipe has {len(problems)} faults. Nothing was changed.", tuple(problems))
    return _read(recipe, load(payload))


def _read(recipe: dict[str, Any], factors: dict[str, np.ndarray]) -> Edit:
    method, evaluation = recipe["method"], recipe["evaluation"]
    request = EditRequest.model_validate(recipe["request"], context=STORED)
    facts = len(request.facts)
    return Edit(
        request=request,
        model=recipe["model"],
        changes=[
            LayerChange(
                layer=int(tensor["layer"]),
                name=tensor["name"],
                transposed=bool(tensor["transposed"]),
                left=factors[f"{tensor['name']}.left"],
                right=factors[f"{tensor['name']}.right"],
                base_hash=recipe["base"]["tensors"][tensor["name"]],
                weight_norm=float(tensor["weight_norm"]),
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
        ),
        probes=[Probe(one["fact"], one["kind"], one["prompt"], one["new"], one["old"]) for one in evaluation],
        before=_read_answers([one["before"] for one in evaluation]),
        after=_read_answers([one["after"] for one in evaluation]),
        glance=_read_glance(recipe.get("glance")),
        warnings=list(method["warnings"]),
        built_on=list(recipe["composition"]["built_on"]),
        provenance=dict(method["provenance"])
        | ({"audit": recipe["audit"]} if recipe.get("audit") else {})
        | ({"base": recipe["base"]["obtain"]} if "obtain" in recipe["base"] else {}),
    ).signed(recipe["identity"]["author"])


def _curve(rows: list[list[float | None]], facts: int) -> np.ndarray:
    """A curve of the search, (steps, n); there may be none, where nothing was sought."""
    return np.array(rows, dtype=float) if rows else np.empty((0, facts))


def _read_glance(data: dict[str, Any] | None) -> Glance | None:
    if data is None:
        return None
    texts = [(str(a), str(b), str(c)) for a, b, c in data["texts"]]
    return Glance(data["prompt"], list(data["words"]), np.array(data["before"]), np.array(data["after"]), texts)


def _read_answers(rows: list[dict[str, Any]]) -> Answers:
    def column(name: str, kind: type) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=kind)

    return Answers(
        column("new", float),
        column("old", float),
        column("new_greedy", bool),
        column("old_greedy", bool),
        [str(row["said"]) for row in rows],
        column("said_probability", float),
    )


def faults(recipe: Any, payload: bytes) -> list[str]:
    """Everything that is wrong with a recipe and its payload, one sentence each."""
    if not isinstance(recipe, dict) or recipe.get("schema") != SCHEMA:
        return [f"It is not a recipe of the form {SCHEMA}."]
    found = [f"The group “{group}” is missing." for group in GROUPS if group not in recipe]
    if found:
        return found
    try:
        if recipe.get("id") != (own := recipe_id(recipe)):
            found.append(f"The id {recipe.get('id')} is not that of the content, {own}: it was altered.")
        found += trail_faults(recipe.get("audit", []), str(recipe.get("id")))
        EditRequest.model_validate(recipe["request"], context=STORED)
        if hashlib.sha256(payload).hexdigest() != recipe["artefact"]["sha256"]:
            return [*found, "The weights beside it are not those it was made with (hash mismatch)."]
        factors = load(payload)
        for tensor in recipe["artefact"]["tensors"]:
            name, (d, d_k), rank = tensor["name"], tensor["shape"], tensor["rank"]
            left, right = factors[f"{name}.left"], factors[f"{name}.right"]
            if left.shape != (d, rank) or right.shape != (rank, d_k):
                shapes = f"({d}, {rank}) and ({rank}, {d_k})"
                found.append(f"{name}: the factors are {left.shape} and {right.shape}, not {shapes}.")
            elif not (np.isfinite(left).all() and np.isfinite(right).all()):
                found.append(f"{name}: the factors hold numbers that are not finite.")
            if name not in recipe["base"]["tensors"]:
                found.append(f"{name}: no hash of the weights it was made for.")
        if altered := [name for name in BASE if recipe["base"][name] != recipe["model"][name]]:
            found.append(f"It says two things about the model it was made for: {', '.join(altered)}.")
        if not found:
            found += _contradictions(_read(recipe, factors))  # whatever else is missing is noticed here
    except UNREADABLE as error:
        found.append(f"It cannot be read: {type(error).__name__}: {error}")
    return found


def _contradictions(edit: Edit) -> list[str]:
    """What a recipe says that cannot be: each of these would break whatever shows or applies the edit."""
    facts, layers = len(edit.request.facts), edit.model["layers"]
    curves = (edit.found.loss, edit.found.probability, edit.found.former)
    glance, said = edit.glance, edit.found.statistics
    named = (edit.model[name] for name in BASE if name != "revision")
    texts = [edit.author, *edit.warnings, *edit.built_on, *named]
    texts += [text for probe in edit.probes for text in (probe.prompt, probe.new, probe.old)]
    checks = {
        "It changes no layer.": bool(edit.changes),
        "The layers it changes are not those of the model it names.": isinstance(layers, int)
        and all(0 <= change.layer < layers for change in edit.changes),
        "The model it names has no number of parameters.": isinstance(edit.model["parameters"], int),
        "Its request does not name its layers.": bool(edit.request.layers),
        "A matrix it changes has no size.": all(0 < change.weight_norm < math.inf for change in edit.changes),
        "What became of its facts is not said of each.": [one.fact for one in edit.probes if one.kind == "rewrite"]
        == list(range(facts))
        and edit.probes[0].kind == "rewrite",
        "It asks in ways there are not.": all(
            one.kind in get_args(Kind) and one.fact in range(facts) for one in edit.probes
        ),
        "Its search has not a curve for each fact.": all(
            curve.shape == (len(curves[0]), facts) and (len(curve) or edit.request.silences) for curve in curves
        ),
        "Its keys are not one for each fact.": len(edit.found.key_ratio) == len(edit.found.written) == facts,
        "Its statistics do not say what they were measured on.": all(
            isinstance(one["tokens"], int) and isinstance(one["corpus"], str) for one in said
        ),
        "Its first words do not match their probabilities.": glance is None
        or (0 < len(glance.words) == len(glance.before) == len(glance.after)),
        "It says how long it took in no number.": isinstance(edit.provenance.get("seconds", 0.0), int | float),
        "Where its base comes from is not said in text.": _is_text(edit.provenance.get("base", {})),
        "Something in it that must be text is not.": all(isinstance(text, str) for text in texts),
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def _is_text(told: Any) -> bool:
    return isinstance(told, dict) and all(value is None or isinstance(value, str) for value in told.values())


def payload_place(place: Path) -> Path:
    """Where the factors of a recipe lie: the same name, ending in .safetensors."""
    return place.with_suffix(".safetensors")


def write_recipe(edit: Edit, place: Path, author: str = "") -> dict[str, Any]:
    """Write recipe and payload side by side, each whole or not at all; returns the recipe.

    Args:
        edit: an edit that was probed.
        place: the JSON file; the weights stand beside it as safetensors.
        author: whose edit it is, if that is to be said.
    Returns:
        The recipe, with its id.
    Raises:
        `BadRequest` for an edit that nothing was asked of.
    Example:
        >>> from pathlib import Path
        >>> write_recipe(edit, Path(folder) / "rome.json")["schema"]
        'palimpsest-recipe/1'
    """
    recipe, payload = recipe_of(edit, author)
    _put(payload_place(place), payload)
    write_again(recipe, place)
    return recipe


def write_again(recipe: dict[str, Any], place: Path) -> None:
    """Write the JSON of a recipe whose payload lies there already, whole or not at all."""
    text = json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    _put(place, text.encode())


def _put(place: Path, data: bytes) -> None:
    with replacing(place) as new:
        new.write_bytes(data)


def read_files(place: Path | str) -> tuple[Any, bytes]:
    """Recipe and payload as they lie there; `BadFile` where they cannot be read or are too large."""
    place = Path(place)
    beside = payload_place(place)
    for file, limit in ((place, LARGEST_JSON), (beside, LARGEST_PAYLOAD)):
        if not file.is_file():
            raise BadFile(f"There is no file {file}. A recipe is a .json and a .safetensors of the same name.")
        if file.stat().st_size > limit:
            raise BadFile(f"{file} has {file.stat().st_size / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB are read.")
    try:
        return json.loads(place.read_text(encoding="utf-8")), beside.read_bytes()
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{place} is not a recipe ({error}).") from error


def read_recipe(place: Path | str) -> Edit:
    """The edit of a recipe file; `BadFile` lists every fault.

    Args:
        place: the JSON file.
    Example:
        >>> from pathlib import Path
        >>> from editors import write_recipe
        >>> recipe = write_recipe(edit, Path(folder) / "again.json")
        >>> read_recipe(Path(folder) / "again.json").request == edit.request
        True
    """
    return edit_of(*read_files(place))
