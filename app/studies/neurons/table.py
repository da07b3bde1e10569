"""Neurons as a tidy table, and as plain data."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from analysis import NeuronsResult
from app.exports.columns import floats
from app.exports.fields import everything


def neurons_table(result: NeuronsResult) -> pd.DataFrame:
    """One row per card, value neurons first."""
    cards = [*result.value, *result.query]
    numbers = {
        name: floats(np.array([getattr(card, name) for card in cards]))
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
        result.integrated[card.layer, card.index] if card.part == "mlp" else np.nan
        for card in [*result.value, *result.query]
    ]
    return {"integrated_gradients": floats(np.array(parts))}


def neurons_fields(result: NeuronsResult) -> dict[str, Any]:
    """Everything, each neuron with its name."""
    found = everything(result)
    cards = {
        role: [dataclasses.asdict(card) | {"name": card.name} for card in found[role]] for role in ("value", "query")
    }
    ablations = [dataclasses.asdict(one) for one in result.ablations]
    return found | cards | {"ablations": ablations, "neurons_scored": result.scored}
