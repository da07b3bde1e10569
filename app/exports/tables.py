"""Every result as one tidy table: a row for each cell, state, fact or row of tokens.

The page's table twin, the CSV and the terminal all read it, so no number exists twice. A new
result registers its table here.
"""

from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    KnownResult,
    LensResult,
    NeuronsResult,
    TraceResult,
    TransferResult,
    read_facts,
)
from analysis.internals.scores import TOP
from analysis.multihop.result import ASKED
from analysis.tracing.average_result import ROWS
from app.studies.conflict import table as conflict_tables
from app.studies.drift import table as drift_tables
from app.studies.evaluate import table as evaluation_tables
from editors.ability_tests.result import AbilitiesResult
from editors.attention_drift.result import DriftResult, DriftsResult, PatchResult
from editors.chain_reach.result import ReachResult
from editors.edit.edit import Edit
from editors.evaluation.result import EvaluateResult
from editors.generation.result import Generated
from editors.layer_sweep.result import OUTCOMES, LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult


@singledispatch
def table(result: Any) -> pd.DataFrame:
    """A result as a tidy table; `TypeError` for what is no result."""
    raise TypeError(f"There is no table for {type(result).__name__}.")


@table.register
def _trace(result: TraceResult) -> pd.DataFrame:
    """One row per computed cell, kinds in the order asked for, then layer, then token."""
    return pd.concat([_cells(result, kind) for kind in result.grids], ignore_index=True)


def _cells(result: TraceResult, kind: str) -> pd.DataFrame:
    grid = result.grids[kind]
    layers, positions = np.nonzero(grid.computed)
    columns: dict[str, Any] = {
        "kind": kind,
        "window": grid.window,
        "layer": layers,
        "token_index": positions,
        "token": [result.tokens[token] for token in positions],
        "in_subject": (positions >= result.subject[0]) & (positions < result.subject[1]),
    }
    numbers = {
        "probability": result.scores(kind),
        "effect": result.effects(kind),
        "half_width_95": result.uncertainty(kind),
        "logit_difference": result.scores(kind, "logit_difference"),
        "normalised_logit_difference": result.scores(kind, "normalised_logit_difference"),
        "kl": result.scores(kind, "kl"),
        "preview": result.previews[kind],
    }
    columns |= {name: _floats(values[layers, positions]) for name, values in numbers.items()}
    columns |= {"clean": result.high, "blurred": result.low}
    columns |= _top_words(result.words, grid.top_ids[layers, positions], grid.top_probabilities[layers, positions])
    return pd.DataFrame(columns)


@table.register
def _average(result: AverageResult) -> pd.DataFrame:
    """One row per kind, row of tokens and layer."""
    parts = []
    for kind, mean in result.mean.items():
        rows, layers = np.indices(mean.shape).reshape(2, -1)
        parts.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "window": result.window[kind],
                    "row": [ROWS[row] for row in rows],
                    "layer": layers,
                    "effect": _floats(mean.ravel()),
                    "half_width_95": _floats(result.half_width[kind].ravel()),
                    "tokens": result.count[rows],
                    "facts": len(result.ids),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@table.register
def _lens(result: LensResult) -> pd.DataFrame:
    """One row per state."""
    lens = result.lens
    layers, positions = np.indices(lens.answer_probability.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "layer": layers,
            "token_index": positions,
            "token": [result.tokens[token] for token in positions],
            "answer": result.answer,
            "answer_probability": _floats(lens.answer_probability[layers, positions]),
            "answer_rank": lens.answer_rank[layers, positions],
        }
        | _top_words(result.words, lens.top_ids[layers, positions], lens.top_probabilities[layers, positions])
    )


@table.register
def _layers(result: LayersResult) -> pd.DataFrame:
    """One row per layer tried: means over the facts."""
    columns: dict[str, Any] = {"layer": result.layers, "facts": (~np.isnan(result.score)).sum(0)}
    columns["rewrite_score"], columns["rewrite_score_half_width_95"] = result.mean(result.score)
    for kind in OUTCOMES:
        columns[f"{kind}_likelier"] = result.mean(result.likelier[kind])[0]
        columns[f"{kind}_greedy"] = result.mean(result.greedy[kind])[0]
    columns["trace_effect"], columns["trace_effect_half_width_95"] = (
        part[result.layers] for part in result.mean(result.effect)
    )
    return pd.DataFrame(columns)


@table.register
def _known(result: KnownResult) -> pd.DataFrame:
    """One row per fact that could be asked."""
    relations = {fact.id: fact.relation for fact in read_facts()}
    return pd.DataFrame(
        {
            "id": result.ids,
            "relation": [relations.get(name, "") for name in result.ids],
            "prompt": result.prompts,
            "object": result.objects,
            "said": result.said,
            "probability": _floats(result.probability),
            "correct": result.correct,
        }
    )


@table.register
def _neurons(result: NeuronsResult) -> pd.DataFrame:
    """One row per card, value neurons first."""
    cards = [*result.value, *result.query]
    numbers = {
        name: _floats(np.array([getattr(card, name) for card in cards]))
        for name in ("coefficient", "score", "zeroed", "doubled")
    }
    return pd.DataFrame(
        {
            "role": [card.role for card in cards],
            "neuron": [card.name for card in cards],
            "layer": [card.layer for card in cards],
            "index": [card.index for card in cards],
            "token_index": [card.token for card in cards],
            "token": [result.tokens[card.token] for card in cards],
            **numbers,
            "answer_probability": result.probability,
            **_second_opinion(result),
            "promotes": [" ".join(word.strip() for word in card.promotes) for card in cards],
            "suppresses": [" ".join(word.strip() for word in card.suppresses) for card in cards],
        }
    )


def _second_opinion(result: NeuronsResult) -> dict[str, Any]:
    """Integrated gradients of the MLPs' value neurons, where they were asked for."""
    if not result.integrated.size:
        return {}
    parts = [
        result.integrated[card.layer, card.index] if card.part == "ffn" else np.nan
        for card in [*result.value, *result.query]
    ]
    return {"integrated_gradients": _floats(np.array(parts))}


@table.register
def _hops(result: HopsResult) -> pd.DataFrame:
    """One row per chain, every question with its answer."""
    columns: dict[str, Any] = {
        "id": [one.id for one in result.chains],
        "question": [one.whole() for one in result.chains],
        "bridge": [one.bridge for one in result.chains],
        "answer": [one.answer for one in result.chains],
    }
    for number, name in enumerate(ASKED):
        columns[f"{name}_probability"] = _floats(result.probability[:, number])
        columns[f"{name}_said"] = [said[number] for said in result.said]
        columns[f"{name}_correct"] = result.correct[:, number]
    columns["wordings_correct"] = result.whole_correct.sum(1)
    columns["genuine"] = result.genuine()
    return pd.DataFrame(columns)


@table.register
def _edit(result: Edit) -> pd.DataFrame:
    """One row per probe, before and after."""
    before, after = result.before, result.after
    return pd.DataFrame(
        {
            "fact": [probe.fact for probe in result.probes],
            "kind": [probe.kind for probe in result.probes],
            "prompt": [probe.prompt for probe in result.probes],
            "new": [probe.new for probe in result.probes],
            "old": [probe.old for probe in result.probes],
            "new_before": _floats(before.new),
            "new_after": _floats(after.new),
            "old_before": _floats(before.old),
            "old_after": _floats(after.old),
            "said_before": before.said,
            "said_after": after.said,
        }
    )


@table.register
def _generated(result: Generated) -> pd.DataFrame:
    """One row per prompt, with how it goes on as far as it was asked."""
    prompts = list(result.request.prompt)
    sides = ((*side, *[""] * (len(prompts) - len(side))) for side in (result.before, result.after))
    return pd.DataFrame({"prompt": prompts, **dict(zip(("before", "after"), sides, strict=True))})


for _kind, _table in (
    (HeadsResult, conflict_tables.heads_table),
    (ConflictResult, conflict_tables.outcomes_table),
    (KnockoutResult, conflict_tables.knockout_table),
    (TransferResult, conflict_tables.transfer_table),
    (DriftResult, drift_tables.drift_table),
    (PatchResult, drift_tables.patch_table),
    (DriftsResult, drift_tables.drifts_table),
    (EvaluateResult, evaluation_tables.evaluate_table),
    (AbilitiesResult, evaluation_tables.abilities_table),
    (QuizResult, evaluation_tables.quiz_table),
    (LifelongResult, evaluation_tables.lifelong_table),
    (ReachResult, evaluation_tables.reach_table),
):
    table.register(_kind, _table)


def _floats(values: np.ndarray) -> np.ndarray:
    """As float64: written out, it is the same number in CSV and in JSON."""
    return values.astype(np.float64)


def _top_words(words: dict[str, str], ids: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for place in range(TOP):
        columns[f"top_{place + 1}"] = [words[str(int(token))] for token in ids[:, place]]
        columns[f"top_{place + 1}_probability"] = _floats(probabilities[:, place])
    return columns
