"""Chains of the neuron benchmark: what editors of its own say is stored case by case, and asked for once."""

import numpy as np
import pytest

from analysis.model.language_model import LanguageModel
from app.bench import neurons
from editors.cases.chain_case import ChainCase, Hop
from editors.chain_reach.result import ReachRequest
from editors.chain_reach.run import reached, writer
from editors.registry.methods import NO_EDIT
from tests.kit.edits import TOWER


def test_an_editor_of_ones_own_is_asked_once_a_case(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    hops = (Hop(prompt=TOWER.text, answers=(TOWER.target,)), Hop(prompt="mother wrote", answers=("city",)))
    cases = tuple(
        ChainCase(id=name, rewrites=(TOWER,), hops=hops[:count], questions=("near the river",), answers=("city",))
        for name, count in (("one", 1), ("two", 2))
    )
    request = ReachRequest(cases=cases, words=3)
    editors = {"ft": writer("ft"), "ft_too": writer("ft")}
    whole = reached(tiny, request, editors)
    for _ in range(2):
        found = neurons._reached(tiny, request, editors, lambda *_, **__: None)
        assert found.versions == [NO_EDIT, "ft", "ft_too"]
        for name in ("held", "hops", "whole", "old"):
            assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=True), name
        monkeypatch.setattr(neurons, "reached", lambda *_: pytest.fail("it is asked again"))
