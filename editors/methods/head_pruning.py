"""Heads silenced, or scaled, as an edit: the columns of W_O that read them, multiplied.

Heads write through columns of the output matrix of their layer, so silencing a head at all tokens is
setting its columns to zero, exactly, whatever keys and values it shares with others. b_V stays
where the family keeps it, unfolded, so nothing of a silenced head survives in b_O. Holding a head at
its mean needs a constant that families without a bias have no place for: it is an analysis
(`analysis.patching.head_ablation`), not an edit.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest
from analysis.forward.generation import first_said
from analysis.internals.head_names import head_name, parse_head
from analysis.internals.key_value_memory import attention_matrix
from analysis.study import Report, provenance, silent
from editors.edit.apply import apply, tensor_hash
from editors.edit.base_model import base_of
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.probes import Probe
from editors.edit.request import EditRequest
from editors.edit.weight_overlay import Overlay
from editors.scoring.probe_answers import Looking, ask

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def heads_of(lm: "LanguageModel", names: Sequence[str]) -> list[tuple[int, int]]:
    """Heads by name, each once, in order; `BadRequest` for none and for those the model does not have."""
    heads = sorted({parse_head(name) for name in names})
    if not heads:
        raise BadRequest("No head was named. Name one or more as layer.head, such as 23.4.")
    if outside := [head for head in heads if head[0] >= lm.n_layers or head[1] >= lm.n_heads]:
        raise BadRequest(
            f"{lm.name} has {lm.n_layers} layers of {lm.n_heads} heads, both counted from 0; there is no head "
            f"{head_name(outside[0])}."
        )
    return heads


def prune(lm: "LanguageModel", request: EditRequest, report: Report = silent, *, stack: Sequence[Edit] = ()) -> Edit:
    """Scale the heads of `request` by its `scale`; its facts are prompts that show what becomes of the answers.

    The change is that of the model's own weights, so each such edit can be switched by itself. As factors it is
    W_O's columns times scale − 1, of rank heads · d_head: a LoRA adapter of it is exact up to rounding.
    """
    started = time.perf_counter()
    report(0, 3, "silencing heads")
    heads = heads_of(lm, request.heads)
    layers = tuple(sorted({layer for layer, _ in heads}))
    full = request.model_copy(update={"heads": tuple(map(head_name, heads)), "layers": layers})
    changes = [_change(lm, layer, [head for at, head in heads if at == layer], full.scale) for layer in layers]
    with Overlay(lm) as overlay:
        for edit in stack:
            apply(lm, edit, overlay)
        said = [first_said(lm, lm.encode(fact.text)) for fact in full.facts]
        probes = [
            Probe(index, "rewrite", fact.text, fact.target, old or fact.target)
            for index, (fact, old) in enumerate(zip(full.facts, said, strict=True))
        ]
        before = ask(lm, probes)
        looking = Looking(lm, full.facts[0].text, full.facts[0].target, [])
        report(1, 3, "asking again")
        nothing = _nothing_sought(len(full.facts))
        draft = Edit(full, lm.card(), changes, nothing, probes, before, before, None, [], [])
        apply(lm, draft, overlay)
        after, glance = ask(lm, probes), looking.again()
    report(3, 3, "done")
    made = provenance(time.perf_counter() - started) | {"base": base_of(lm.card()).source()}
    return replace(draft, after=after, glance=glance, provenance=made)


def _change(lm: "LanguageModel", layer: int, heads: list[int], scale: float) -> LayerChange:
    matrix = attention_matrix(lm, layer)
    weight = matrix.weight.float().cpu().numpy()
    width = weight.shape[1] // lm.n_heads
    columns = np.concatenate([np.arange(head * width, (head + 1) * width) for head in heads])
    chosen = np.zeros((len(columns), weight.shape[1]), dtype=np.float32)
    chosen[np.arange(len(columns)), columns] = 1
    return LayerChange(
        layer=layer,
        name=matrix.name,
        transposed=matrix.transposed,
        left=np.ascontiguousarray((scale - 1) * weight[:, columns], dtype=np.float32),
        right=chosen,
        base_hash=tensor_hash(matrix.parameter),
        weight_norm=float(np.linalg.norm(weight)),
    )


def _nothing_sought(facts: int) -> Found:
    """No search and no statistics stand behind it."""
    none, unknown = np.empty((0, facts)), [math.nan] * facts
    return Found(none, none, none, unknown, unknown, math.nan, [])
