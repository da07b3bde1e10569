"""Captum's opinions on tokens, held to what they are defined by, over every family."""

import pytest
import torch

from analysis.model.language_model import LanguageModel
from analysis.neuron_attribution.token_attribution import baseline, blank, token_parts
from tests.kit.traces import PROMPT


def read(lm: LanguageModel, ids: torch.Tensor, answer: int) -> float:
    with torch.no_grad():
        return float(lm.logits(ids)[0, -1].double().log_softmax(-1)[answer])


def test_ablating_a_token_is_reading_the_prompt_without_it_and_gradients_add_up(family: LanguageModel) -> None:
    tokens = family.encode(PROMPT)
    own, answer = tokens.tensor(), 5
    (ablated, integrated), gained = token_parts(family, tokens, answer, nodes=200)
    whole = read(family, own, answer)
    added = [at for at, (start, end) in enumerate(tokens.spans) if start == end]
    for at in range(len(tokens)):
        without = own.clone()
        without[0, at] = blank(family)
        wanted = 0.0 if at in added else whole - read(family, without, answer)
        assert float(ablated[at]) == pytest.approx(wanted, abs=2e-5)
    assert gained == pytest.approx(whole - read(family, baseline(family, tokens), answer), abs=1e-6)
    assert float(integrated.sum()) == pytest.approx(gained, abs=5e-3)
    assert not integrated[added].any()
