"""Averages over facts: who belongs to which row, and means that are means."""

import numpy as np
import pytest

from analysis.errors import BadRequest, Cancelled
from analysis.facts.facts import Fact, in_turn
from analysis.tracing.average_result import ROWS, AverageRequest
from analysis.tracing.average_run import average, row_tokens
from analysis.tracing.result import TraceRequest
from analysis.tracing.run import trace
from tests.kit.traces import far

PROMPTS = (("the {} stands in", "old tower of Aldra"), ("in {} on", "Brin"), ("near {} speaks", "Corvo mother"))


@pytest.fixture
def known(tiny, monkeypatch):
    """Facts the tiny model knows, because its own favourites are made their objects."""
    monkeypatch.setattr("analysis.tracing.corruption.read_facts", lambda: facts)
    facts = []
    for number, (prompt, subject) in enumerate(PROMPTS):
        said = tiny.words([tiny.logits(tiny.encode(prompt.replace("{}", subject)).tensor())[0, -1].argmax()])[0]
        facts.append(Fact(id=f"f{number}", relation="r", subject=subject, object=said, prompt=prompt))
    wrong = facts[0].model_copy(update={"id": "wrong", "object": "w63"})
    monkeypatch.setattr("analysis.tracing.average_run.read_facts", lambda: (wrong, *facts))
    return facts


def asked(**changes):
    return AverageRequest(**({"facts": 3, "at_least": 0.0, "samples": 2, "kinds": ("state", "mlp")} | changes))


def test_rows_follow_rome():
    assert row_tokens((2, 6), 10) == dict(zip(ROWS, ([2], [3, 4], [5], [6], [7, 8], [9]), strict=True))
    assert row_tokens((0, 1), 3) == dict(zip(ROWS, ([0], [], [0], [1], [], [2]), strict=True))
    assert row_tokens((0, 2), 3) == dict(zip(ROWS, ([0], [], [1], [2], [], [2]), strict=True))
    assert row_tokens((1, 3), 3) == dict(zip(ROWS, ([1], [], [2], [], [], [2]), strict=True))


def test_relations_take_turns():
    facts = [Fact(id=f"{r}{i}", relation=r, subject="s", object="o", prompt="{}") for r in "aab" for i in range(2)]
    assert [fact.relation for fact in in_turn(facts)] == ["a", "b", "a", "b", "a", "a"]
    assert in_turn([]) == []


def test_means_are_the_means_of_the_single_traces(tiny, known):
    result = average(tiny, asked())
    assert result.ids == ["f0", "f1", "f2"]
    traces = [trace(tiny, asked().of(fact)) for fact in known]
    assert result.high == pytest.approx([one.high for one in traces])
    assert result.low == pytest.approx([one.low for one in traces])
    for kind in ("state", "mlp"):
        for row, name in enumerate(ROWS):
            pool = [
                one.indirect_effects(kind)[:, token]
                for one in traces
                for token in row_tokens(one.subject, len(one.tokens))[name]
            ]
            assert result.count[row] == len(pool)
            if pool:
                assert far(result.mean[kind][row], np.mean(pool, 0)) < 1e-6
            else:
                assert np.isnan(result.mean[kind][row]).all()
            if len(pool) > 1:
                assert far(result.half_width[kind][row], 1.96 * np.std(pool, 0, ddof=1) / len(pool) ** 0.5) < 1e-6
            else:
                assert np.isnan(result.half_width[kind][row]).all()


def test_the_total_effect_has_an_interval(tiny, known):
    result = average(tiny, asked())
    effect = result.high - result.low
    mean, half = result.total_effect
    assert mean == pytest.approx(effect.mean())
    assert half == pytest.approx(1.96 * effect.std(ddof=1) / 3**0.5)
    layer, value, width = result.peak("state", "last token")
    assert value == np.nanmax(result.mean["state"][-1]) and width >= 0
    assert result.mean["state"][-1, layer] == value
    mean, half = average(tiny, asked(facts=2, relations=("r",))).total_effect
    assert half > 0


def test_facts_the_model_does_not_know_are_left_out(tiny, known):
    assert "wrong" not in average(tiny, asked()).ids
    with pytest.raises(BadRequest, match=r"knows none of these facts with a probability of at least 100%"):
        average(tiny, asked(at_least=1.0))


def test_partial_averages_come_on_the_way_and_a_stop_ends_it(tiny, known):
    partials = []

    def report(done, total, note="", partial=None, share=None):
        partials.extend([partial] if partial is not None else [])
        if len(partials) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        average(tiny, asked(), report)
    assert [partial.ids for partial in partials] == [["f0"], ["f0", "f1"]]


def test_every_fact_is_traced_as_asked(tiny, known):
    seen: list[TraceRequest] = []

    def spy(lm, request, report):
        seen.append(request)
        return trace(lm, request, report)

    average(tiny, asked(noise=2.0, seed=5, window=2), part=spy)
    assert [(one.subject, one.noise, one.seed, one.window, one.kinds, one.samples) for one in seen] == [
        (fact.subject, 2.0, 5, 2, ("state", "mlp"), 2) for fact in known
    ]
