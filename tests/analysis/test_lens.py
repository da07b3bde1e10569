"""The logit lens: the last layer reads as the model, and every number belongs to its state."""

import numpy as np
import pytest

from analysis.errors import BadRequest
from analysis.forward.blocks import Frame, first_hidden, record
from analysis.internals.scores import TOP
from analysis.lens.result import LensRequest
from analysis.lens.run import logit_lens
from tests.kit.traces import PROMPT, TOKENS, far, traced


def test_the_last_layer_says_what_the_model_says(family):
    result = logit_lens(family, LensRequest(prompt=PROMPT))
    clean = family.logits(family.encode(PROMPT).tensor())[0].softmax(-1)
    top = clean.topk(TOP, dim=-1)
    assert far(result.lens.top_probabilities[-1], top.values) < 1e-5
    assert (result.lens.top_ids[-1, :, 0] == top.indices[:, 0].numpy()).all()
    assert result.answer == family.words([clean[-1].argmax()])[0]
    assert result.lens.answer_rank[-1, -1] == 0


def test_every_state_is_read_by_the_models_own_readout(family):
    ids = family.encode(PROMPT).tensor()
    passage = record(Frame(family, ids), first_hidden(family, ids))
    lens = logit_lens(family, LensRequest(prompt=PROMPT, answer="Brin")).lens
    answer = family.tokenizer.convert_tokens_to_ids("Brin")
    for layer in range(family.n_layers):
        spoken = family.readout(passage.hidden[layer + 1][0]).softmax(-1)
        assert far(lens.answer_probability[layer], spoken[:, answer]) < 1e-6
        assert (lens.answer_rank[layer] == (spoken > spoken[:, [answer]]).sum(-1).numpy()).all()


def test_rank_and_top_words_agree(family):
    result = logit_lens(family, LensRequest(prompt=PROMPT, answer="Brin"))
    lens, answer = result.lens, family.tokenizer.convert_tokens_to_ids("Brin")
    assert lens.top_ids.shape == (family.n_layers, TOKENS, TOP)
    for layer, token in np.ndindex(family.n_layers, TOKENS):
        rank = lens.answer_rank[layer, token]
        if rank < TOP:
            assert lens.top_ids[layer, token, rank] == answer
            assert lens.top_probabilities[layer, token, rank] == lens.answer_probability[layer, token]
        else:
            assert answer not in lens.top_ids[layer, token]
    assert set(result.words) == {str(i) for i in np.unique(lens.top_ids)}


def test_a_trace_holds_the_same_lens_of_the_clean_run(family):
    own = traced(family)
    alone = logit_lens(family, LensRequest(prompt=PROMPT)).lens
    assert far(own.lens.answer_probability, alone.answer_probability) < 1e-6
    assert (own.lens.answer_rank == alone.answer_rank).all()


def test_prompts_that_do_not_fit_are_refused(tiny):
    with pytest.raises(BadRequest, match="empty"):
        logit_lens(tiny, LensRequest(prompt=" "))
    assert LensRequest(prompt="the old ") == LensRequest(prompt="the old")
