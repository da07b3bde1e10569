"""The recipe: an edit as something to keep, send and check.

Canonical JSON that a person can read, beside a safetensors file with the low-rank factors. The id is
the hash of the JSON without it, the JSON holds the hash of the factors, so nothing can change
unnoticed. Nothing in it is code. A trail of what was done with it may lie beside it, under “audit” (see
`editors.recipes.audit_trail`); the id is not a hash of that.
"""

import copy
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import save

from analysis.errors import BadFile, BadRequest
from analysis.one_of import STORED
from analysis.text.characters import fit, in_view
from analysis.whole_files import replacing
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.probes import Answers
from editors.edit.request import EditRequest
from editors.recipes.as_edit import as_edit
from editors.recipes.audit_trail import faults as trail_faults
from editors.recipes.canonical_json import content_hash
from editors.recipes.contradictions import contradictions, differences
from editors.recipes.factors_file import SOLVING, factor_faults, factors
from editors.recipes.form import form_faults
from editors.recipes.strict_json import NotStrict, strict_json, unclean

SCHEMA = "palimpsest-recipe/1"
LARGEST_JSON, LARGEST_PAYLOAD = 32 << 20, 4 << 30
"""Bytes."""
LONGEST_FAULT = 600
GROUPS = ("identity", "base", "request", "method", "artefact", "evaluation", "composition", "model")
BASE = ("name", "source", "revision", "weights_hash", "architecture", "dtype")
"""What `base` repeats of `model`."""
BESIDE = ("author", "audit", "base", "brought", "recipe", "signatures")
"""What an edit's provenance holds that a recipe keeps elsewhere, or does not say."""
DONE_WITH_IT = ("id", "audit", "signatures", "brought")
"""What lies beside a recipe and is no part of what its id is a hash of."""
BROUGHT = "brought, not measured here"
SEARCH_BROUGHT = "measured here; its search was brought"
"""What is said of a recipe's answers wherever it was not found."""


def content_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a recipe says, without its id and what was done with it since."""
    return {name: value for name, value in recipe.items() if name not in DONE_WITH_IT}


def recipe_id(recipe: dict[str, Any]) -> str:
    """Hash of everything a recipe says but its id, and of nothing that was done with it since."""
    return content_hash(content_of(recipe))


def short_id(edit: Edit) -> str:
    """The first digits of the id an edit's recipe has: what pages show and files are called by."""
    return str(recipe_of(edit)[0]["id"])[:12]


def recipe_of(edit: Edit, author: str = "") -> tuple[dict[str, Any], bytes]:
    """An edit as recipe and payload; `author` takes the place of the one it has.

    One that was read leaves as it came, to the byte and with its signatures, unless something in it is another now.
    `BadRequest` for an edit of which nothing was asked: a recipe says what was said before and after.
    """
    recipe, payload = _written(edit, author)
    kept = edit.provenance.get("recipe")
    if as_it_came := isinstance(kept, dict) and not differences(kept, recipe):
        recipe = copy.deepcopy(edit.provenance["recipe"])
    recipe["id"] = recipe_id(recipe)
    trail = edit.provenance.get("audit")
    if trail and not trail_faults(trail, recipe["id"]):  # under another author's name it is another recipe
        recipe["audit"] = trail
    if as_it_came and "signatures" in edit.provenance:
        recipe["signatures"] = edit.provenance["signatures"]
    if edit.brought:
        recipe["brought"] = BROUGHT
    return recipe, payload


def _written(edit: Edit, author: str = "") -> tuple[dict[str, Any], bytes]:
    """What a recipe says of an edit, and its payload."""
    if edit.parts and not edit.before.said:
        raise BadRequest(
            f"“{edit.title}” was solved from {len(edit.parts)} edits, and what became of their facts under it was not "
            "asked, which a recipe holds. `palimpsest recipe solve` asks, and writes it."
        )
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
        | {
            f"{change.name}.{part}": np.ascontiguousarray(getattr(change.pairs, part), dtype=np.float64)
            for change in edit.changes
            if change.pairs is not None
            for part in SOLVING
        }
    )
    model = edit.model
    said: dict[str, Any] = {
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
        }
        | {name: told for name in Found.came_later if (told := getattr(edit.found, name)) is not None},
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
                | _solving(change)
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
    return {name: part if name == "request" else _in_view(part) for name, part in said.items()}, payload


def _solving(change: LayerChange) -> dict[str, Any]:
    """What a recipe says of the pairs kept with a change; nothing where there are none."""
    own = change.pairs
    if own is None:
        return {}
    return {"solving": {"pairs": own.n, "weight": own.weight, "anchor": own.anchor, "normal": own.normal}}


def _in_view(value: Any) -> Any:
    """What the model said and what follows from it, with every character in view that no recipe may hold."""
    if isinstance(value, str):
        return fit(value)
    if isinstance(value, dict):
        return {name: _in_view(part) for name, part in value.items()}
    return [_in_view(part) for part in value] if isinstance(value, list) else value


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
        told = "a fault" if len(problems) == 1 else f"{len(problems)} faults"
        raise BadFile(f"The recipe has {told}. Nothing was changed.", tuple(problems))
    edit = as_edit(recipe, factors(payload))
    beside = {name: recipe[name] for name in ("audit", "signatures") if recipe.get(name)}
    beside |= {"brought": True} if recipe.get("brought") else {}
    return replace(edit, provenance=edit.provenance | beside | {"recipe": content_of(recipe)})


def faults(recipe: Any, payload: bytes) -> list[str]:
    """Everything that is wrong with a recipe and its payload, one sentence each, in a line that can be shown."""
    return [_line(one) for one in _faults(recipe, payload)]


def _line(sentence: str) -> str:
    """A sentence that quotes what somebody wrote, in one line of no great length."""
    line = " ".join(in_view(sentence).split())
    return line if len(line) <= LONGEST_FAULT else f"{line[: LONGEST_FAULT // 2]} … {line[-LONGEST_FAULT // 3 :]}"


def _faults(recipe: Any, payload: bytes) -> list[str]:
    if not isinstance(recipe, dict) or recipe.get("schema") != SCHEMA:
        return [f"It is not a recipe of the form {SCHEMA}."]
    if missing := [f"The group “{group}” is missing." for group in GROUPS if group not in recipe]:
        return missing
    if unfit := unclean(recipe):
        return [f"{unfit}."]
    if wrong := form_faults(recipe):
        return wrong
    found = []
    if recipe["id"] != (own := recipe_id(recipe)):
        found.append(f"The id {recipe['id']} is not that of the content, {own}: it was altered.")
    if "audit" in recipe:
        found += trail_faults(recipe["audit"], recipe["id"])
    if hashlib.sha256(payload).hexdigest() != recipe["artefact"]["sha256"]:
        return [*found, "The weights beside it are not those it was made with (hash mismatch)."]
    return found or _request_faults(recipe["request"]) or _weight_faults(recipe, payload) or _held(recipe, payload)


def _request_faults(request: dict[str, Any]) -> list[str]:
    try:
        EditRequest.model_validate(request, context=STORED)
    except ValidationError as error:
        return [f"request.{'.'.join(map(str, one['loc']))}: {one['msg']}." for one in error.errors()[:20]]
    return []


def _weight_faults(recipe: dict[str, Any], payload: bytes) -> list[str]:
    """What does not fit between the matrices, their hashes, the factors, and the model that is named."""
    tensors = recipe["artefact"]["tensors"]
    names, hashes = [tensor["name"] for tensor in tensors], recipe["base"]["tensors"]
    found = [f"{name}: no hash of the weights it was made for." for name in names if name not in hashes]
    found += [f"{name}: a hash, and no change." for name in hashes if name not in names]
    found += [f"{name}: it is changed twice." for name in sorted({one for one in names if names.count(one) > 1})]
    if altered := [name for name in BASE if recipe["base"][name] != recipe["model"][name]]:
        found.append(f"It says two things about the model it was made for: {', '.join(altered)}.")
    for name in ("loss", "probability", "former"):
        if len({len(row) for row in recipe["method"][name]}) > 1:
            found.append(f"method.{name}: its rows are of different lengths.")
    return found or factor_faults(payload, tensors)


def _held(recipe: dict[str, Any], payload: bytes) -> list[str]:
    """What the parts say against each other, and what of it the edit would not say again."""
    edit = as_edit(recipe, factors(payload))
    return contradictions(edit) or differences(content_of(recipe), _written(edit)[0])


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
        return strict_json(place.read_text(encoding="utf-8")), beside.read_bytes()
    except (OSError, UnicodeDecodeError, NotStrict) as error:
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
