"""Chains of two facts: composed rightly, asked as any prompt is; patching and cutting nothing changes nothing."""

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest
from analysis.facts.chains import Chain, chain, read_chains
from analysis.facts.facts import read_facts
from analysis.internals.attention_patterns import Edges, knocked_out
from analysis.model.language_model import LanguageModel
from analysis.multihop import run as multihop
from analysis.multihop.result import HopsRequest
from analysis.multihop.run import _Run, chosen, hops
from app.registry.studies import STUDIES
from tests.kit.stopping import goes_on_to_the_same_end
from tests.kit.traces import far

TINY = Chain(
    id="tiny",
    first="a",
    second="b",
    subject="Aldra",
    bridge="Brin",
    answer="Corvo",
    first_prompt="{} stands in",
    description="the city of {}",
    kind="the city",
    questions=("mother of {} speaks", "{} wrote a"),
    subject_said="old Aldra",
    bridge_said="Brin",
)


def test_there_are_enough_chains_and_their_hops_are_stored_facts() -> None:
    chains, facts = read_chains(), {(fact.relation, fact.subject): fact for fact in read_facts()}
    assert len(chains) >= 100
    assert len({one.id for one in chains}) == len(chains)
    for one in chains:
        assert facts[one.first, one.subject].object == one.bridge
        assert facts[one.second, one.bridge].object == one.answer
        assert all(one.bridge not in one.whole(i) for i in range(len(one.questions)))
        assert one.subject in one.whole()
        assert one.subject not in one.without_subject()
    with pytest.raises(BadRequest, match="no chain"):
        chain("nothing")


def test_a_limit_takes_relations_in_turn_and_unknown_ones_are_refused() -> None:
    few = chosen(HopsRequest(limit=8))
    assert len({(one.first, one.second) for one in few}) == 8
    with pytest.raises(BadRequest, match="no second hop"):
        chosen(HopsRequest(second=("colour",)))


def test_words_fall_into_place() -> None:
    assert TINY.whole(0) == "mother of the city of old Aldra speaks"
    assert TINY.whole(1) == "The city of old Aldra wrote a"
    assert TINY.hop_two(1) == "Brin wrote a"


def test_a_chain_is_asked_as_any_prompt_is(family: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multihop, "chosen", lambda request: [TINY])
    result = hops(family, HopsRequest(knock_out=True, back_patch=True, stride=1, window=1))
    ids = family.encode(TINY.whole()).tensor()
    own = family.logits(ids)[0, -1].softmax(-1)
    answer = family.tokenizer.convert_tokens_to_ids("Corvo")
    assert result.probability[0, 2] == pytest.approx(own[answer].item(), abs=1e-6)
    assert result.correct[0, 2] == (int(own.argmax()) == answer)
    assert (result.recall <= 0).all()
    assert result.recall[0, 2, -1] == pytest.approx(own[answer].log().item(), abs=1e-4)
    for layer in range(family.n_layers):  # a state put back into its own place
        assert result.patched[0, layer, layer] == pytest.approx(own[answer].item(), abs=1e-5)
    assert np.isnan(result.patched[0][np.triu_indices(family.n_layers, 1)]).all()
    assert not result.genuine()[0] or result.both()[0]


def test_a_stopped_run_goes_on_to_the_same_end(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ({"id": name, "subject": "nobody"} for name in ("unread", "neither"))
    last = {"id": "last", "questions": TINY.questions[:1]}
    chains = [TINY.model_copy(update=one), TINY, *(TINY.model_copy(update=other) for other in (two, last))]
    monkeypatch.setattr(multihop, "chosen", lambda request: chains)
    asked = HopsRequest(knock_out=True, back_patch=True, stride=1, window=1)
    parts = goes_on_to_the_same_end(STUDIES["hops"], tiny, asked)
    assert parts[0].cells == (1 + 2 * tiny.n_layers + 1, 4 * (1 + 2 * tiny.n_layers))
    assert not parts[0].was_cut(0)


def test_a_cut_is_that_of_the_whole_run_and_none_is_none(family: LanguageModel) -> None:
    run = _Run(family, TINY, {})
    whole = family.readout(run.passage.last)[0].softmax(-1)[run.answer].item()
    assert run.cut((), 1, 1) == pytest.approx(whole, abs=1e-5)
    edges = Edges(queries=(len(run.tokens) - 1,), keys=run.end)
    with torch.no_grad(), knocked_out(family, edges, range(1, 2)):
        hidden = run.passage.hidden[0]
        for layer in range(family.n_layers):
            hidden = run.frame.run(layer, hidden)
    plain = family.readout(hidden[:, -1])[0].softmax(-1)[run.answer]
    assert far(np.array([run.cut(run.end, 1, 1)]), plain[None]) < 1e-5
