"""Recipes by a forger who uses our own writer: whole and sealed, with invented answers, odd texts and extreme numbers.

Most of these are taken, for nothing in them contradicts itself; so they are what the doors are tried with.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.errors import WorkbenchError
from app.bench.hostile.kind import Kind
from app.bench.hostile.mutations import TEXTS, pick
from app.bench.hostile.valid import Files, pair, through, valid
from editors.edit.edit import Edit
from editors.edit.probes import Answers, Glance, Probe
from editors.edit.request import EditRequest
from editors.recipes.recipe import recipe_of

SETTINGS: dict[str, tuple[Any, ...]] = {
    "steps": (1, 500, None),
    "rate": (1e-300, 1e12, None),
    "clamp": (1e-12, 1e12),
    "kl": (0.0, 1e12),
    "decay": (0.0, 1e12),
    "contexts": (0, 50),
    "tokens": (1, 10**12, None),
    "seed": (0, 2**32 - 1),
    "sadr": (0.0, 1e6),
    "others_weight": (0.0, 1e6),
    "others": (None, ("{} was", "=1+1")),
    "neighbours": (None, ("a", "<b>c</b>")),
    "stop_after": (None, 0, 500),
    "norm_anchor": (True, False),
    "source": ("own", "shipped", "/etc/passwd", "hf:a/b", "=1+1", "a\nb"),
    "boundary": ("space", "none"),
    "norm": (1e-12, 1e12),
    "two_hop": (None,),
}


def kind() -> Kind:
    """Two to five changes in each."""
    return Kind("edit", _inputs, through)


def _inputs(draw: np.random.Generator) -> Iterator[tuple[str, Files]]:
    while True:
        edit, labels = valid(int(draw.integers(3))), []
        for _ in range(int(draw.integers(2, 6))):
            label = pick(draw, list(CHANGES))
            try:
                edit = CHANGES[label](draw, edit)
            except (WorkbenchError, ValueError):  # not even a request can be made of it
                continue
            labels.append(label)
        try:
            recipe, payload = recipe_of(edit)
        except (ValueError, WorkbenchError):
            continue
        yield " ".join(labels) or "none", pair(recipe, payload)


def _answers(draw: np.random.Generator, edit: Edit) -> Edit:
    count = len(edit.probes)
    return replace(edit, after=_invented(draw, count), before=_invented(draw, count))


def _invented(draw: np.random.Generator, count: int) -> Answers:
    shares = [np.asarray([pick(draw, (0.0, 1.0, 0.5, 1e-300)) for _ in range(count)]) for _ in range(3)]
    new, old = (draw.random(count) < 0.5 for _ in range(2))
    return Answers(shares[0], shares[1], new, old, [pick(draw, TEXTS[:40]) for _ in range(count)], shares[2])


def _probes(draw: np.random.Generator, edit: Edit) -> Edit:
    """More prompts, up to hundreds, of every kind."""
    more = int(pick(draw, (1, 12, 13, 300)))
    kinds = ("paraphrase", "neighbour", "other", "distracting", "portability", "locality")
    added = [Probe(0, pick(draw, kinds), pick(draw, TEXTS[:40]), pick(draw, TEXTS[:40]), "x") for _ in range(more)]
    probes = [*edit.probes, *added]
    return replace(edit, probes=probes, before=_invented(draw, len(probes)), after=_invented(draw, len(probes)))


def _glance(draw: np.random.Generator, edit: Edit) -> Edit:
    if draw.random() < 0.2:
        return replace(edit, glance=None)
    count = int(pick(draw, (1, 5, 100)))
    words = [pick(draw, TEXTS[:40]) for _ in range(count)]
    shares = np.asarray([pick(draw, (0.0, 1.0, 1e-9)) for _ in range(count)])
    text = (pick(draw, TEXTS[:40]), pick(draw, TEXTS[:40]), pick(draw, TEXTS[:40]))
    return replace(edit, glance=Glance(pick(draw, TEXTS[:40]), words, shares, shares[::-1].copy(), [text] * 3))


def _found(draw: np.random.Generator, edit: Edit) -> Edit:
    facts, steps = len(edit.request.facts), int(pick(draw, (1, 2, 400)))
    curve = draw.random((steps, facts))
    curve[1:][draw.random((steps - 1, facts)) < 0.5] = np.nan
    odd = [pick(draw, (0.0, -1e30, 1e308, float("nan"))) for _ in range(facts)]
    told = {"tokens": 0, "corpus": pick(draw, TEXTS[:40])}
    grown = {"excess": pick(draw, (None, 0.0, 1e308)), "tolerance": 1.0, "steady": False}
    return replace(
        edit,
        found=replace(
            edit.found, loss=curve * pick(draw, (1.0, 1e300)), probability=curve, former=curve, key_ratio=odd,
            written=odd, condition=pick(draw, (0.0, 1e308, float("nan"))), statistics=[told | {"grown": grown}],
        ),
    )  # fmt: skip


def _changes(draw: np.random.Generator, edit: Edit) -> Edit:
    by = np.float32(pick(draw, (0.0, 1e-38, -1.0, 1e10, 1e18)))
    return replace(edit, changes=[replace(one, left=one.left * by) for one in edit.changes])


def _rank(draw: np.random.Generator, edit: Edit) -> Edit:
    """Factors wider than the matrix."""
    count = int(pick(draw, (2, 40)))
    return replace(
        edit,
        changes=[
            replace(one, left=np.tile(one.left, (1, count)), right=np.tile(one.right, (count, 1)))
            for one in edit.changes
        ],
    )


def _request(draw: np.random.Generator, edit: Edit) -> Edit:
    name = pick(draw, list(SETTINGS))
    data = edit.request.model_dump(mode="json")
    place = data["facts"][0] if name == "two_hop" else data
    place[name] = pick(draw, SETTINGS[name])
    return replace(edit, request=EditRequest.model_validate(data))


def _fact(draw: np.random.Generator, edit: Edit) -> Edit:
    data = edit.request.model_dump(mode="json")
    fact, text = pick(draw, data["facts"]), pick(draw, TEXTS)
    name = pick(draw, ("prompt", "subject", "target", "two_hop"))
    fact[name] = f"{text} {{}} {text}" if name == "prompt" else text
    return replace(edit, request=EditRequest.model_validate(data))


def _model(draw: np.random.Generator, edit: Edit) -> Edit:
    name = pick(draw, ("name", "source", "revision", "commit", "architecture", "device"))
    return replace(edit, model=edit.model | {name: pick(draw, TEXTS)})


def _told(draw: np.random.Generator, edit: Edit) -> Edit:
    times = (
        "",
        "2026-01-01T00:00:00+00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "x",
        "2026-01-01",
    )
    told: dict[str, Any] = {"created_at": pick(draw, times), "seconds": pick(draw, (0.0, 1e9, 1e300, -1.0))}
    return replace(edit, provenance=edit.provenance | told)


CHANGES: dict[str, Callable[[np.random.Generator, Edit], Edit]] = {
    "answers": _answers,
    "prompts": _probes,
    "glance": _glance,
    "found": _found,
    "factors": _changes,
    "rank": _rank,
    "request": _request,
    "fact": _fact,
    "model": _model,
    "told": _told,
    "warnings": lambda draw, edit: replace(edit, warnings=[pick(draw, TEXTS[:40])] * int(pick(draw, (1, 3, 50)))),
    "author": lambda draw, edit: edit.by(pick(draw, TEXTS)),
    "built-on": lambda draw, edit: replace(edit, built_on=pick(draw, (["0" * 24], ["x"], [edit.id], ["0" * 24] * 2))),
}
