"""Streams of edits: the model at the beginning is itself, what comes later changes nothing before, nothing stays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import ModelSpec
from analysis.errors import BadRequest, Cancelled
from analysis.model.language_model import LanguageModel
from analysis.study import pack, unpack
from app.cli import main
from app.exports.json_csv import to_json
from app.exports.tables import table
from app.registry.studies import STUDIES
from app.terminal import request_flags
from editors.cases.case import Case
from editors.edit.apply import tensor_hash
from editors.edit.probes import Probe
from editors.edit.request import Rewrite
from editors.lifelong_editing import run as lifelong_editing
from editors.lifelong_editing.result import LifelongRequest, LifelongResult
from editors.lifelong_editing.run import lifelong
from tests.kit.stopping import goes_on_to_the_same_end

SUBJECTS = ("tower of Aldra", "mother", "city", "Brin Corvo")


def case(subject: str) -> Case:
    fact = Rewrite(prompt="the old {} stands in a", subject=subject, target="river")
    probes = (Probe(0, "rewrite", fact.text, "river", "city"), Probe(0, "neighbour", "near the", "river", "city"))
    return Case((fact,), ("city",), probes, (), subject)


CASES = tuple(case(subject) for subject in SUBJECTS)


@pytest.fixture(scope="module", autouse=True)
def _short(request: pytest.FixtureRequest) -> Any:
    """Little held-out text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifelong_editing, "TEXT_TOKENS", 256)
        yield


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts in the tiny tokenizer's words."""
    words = [Probe(0, "other", text, "river", "") for text in ("the old tower", "mother wrote near", "a city stands")]
    monkeypatch.setattr(lifelong_editing, "answerable", lambda lm, probes: words if not probes else list(probes))
    monkeypatch.setattr(lifelong_editing, "read_facts", tuple)


def asked(count: int = 4, **fields: Any) -> LifelongRequest:
    return LifelongRequest(cases=CASES[:count], method="ft", milestones=(1, 2, 100), words=3, **fields)


def test_a_stream_begins_with_the_model_itself_and_leaves_it(tiny: LanguageModel, held_out: None) -> None:
    before = [tensor_hash(parameter) for parameter in tiny.model.parameters()]
    found = lifelong(tiny, asked())
    assert [tensor_hash(parameter) for parameter in tiny.model.parameters()] == before
    assert found.milestones == [0, 1, 2, 4]
    assert found.kl[0] == 0
    assert found.change[0] == 0
    assert (np.diff(found.change) >= 0).sum() >= 2
    assert (found.kl[1:] > 0).all()
    assert np.isfinite(found.perplexity).all()
    assert found.drawdown()[0] == 0 or np.isnan(found.drawdown()[0])
    assert not np.isnan(found.later[0, 0]).any()  # without edits all cases are asked
    assert np.isnan(found.later[1, 0, 1:]).all()
    assert found.immediate[0, 0] == found.later[1, 0, 0]  # after one edit both are the same question


def test_a_cut_stream_is_the_beginning_of_the_longer_one(tiny: LanguageModel, held_out: None) -> None:
    long, short = lifelong(tiny, asked()), lifelong(tiny, asked(2))
    assert short.milestones == long.milestones[:3]
    assert np.array_equal(short.later[1:], long.later[1:3, :, :2], equal_nan=True)
    for name in ("perplexity", "kl", "mute", "change"):
        assert np.array_equal(getattr(short, name), getattr(long, name)[:3])


def test_a_stopped_stream_goes_on_to_the_same_end(
    tiny: LanguageModel, held_out: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_each = lifelong_editing.write_each

    def refusing(lm: Any, request: Any, *rest: Any, **options: Any) -> Any:
        if request.facts[0].subject == "mother":
            raise BadRequest("Not this one.")
        return write_each(lm, request, *rest, **options)

    monkeypatch.setattr(lifelong_editing, "write_each", refusing)
    parts = goes_on_to_the_same_end(STUDIES["lifelong"], tiny, asked(3, abilities=False))
    assert [part.cells for part in parts] == [(step, 7) for step in range(1, 7)]
    assert [len(part.milestones) for part in parts] == [1, 1, 2, 2, 3, 3]
    for part in parts:
        assert len(part.made) == int((~np.isnan(part.seconds)).sum())
        assert "made" not in json.loads(to_json(part))
        assert sum(mean.n for *_, mean in part.by_age()) <= part.milestones[-1]
        table(part)


def test_a_cancelled_stream_leaves_no_trace(tiny: LanguageModel, held_out: None) -> None:
    before = [tensor_hash(parameter) for parameter in tiny.model.parameters()]

    def cancel(done: int, *_: Any, **__: Any) -> None:
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        lifelong(tiny, asked(), cancel)
    assert [tensor_hash(parameter) for parameter in tiny.model.parameters()] == before


def test_a_refused_case_is_told_of_and_passed_over(tiny: LanguageModel, held_out: None) -> None:
    found = lifelong(tiny, asked(2).model_copy(update={"method": "prune"}))
    assert len(found.faults) == 2
    assert np.isnan(found.immediate).all()
    assert found.kl[-1] == 0
    assert found.kept(-1) is None
    assert found.by_age() == []


def test_a_model_that_only_ends_is_mute(tiny: LanguageModel, held_out: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifelong_editing, "texts_after", lambda lm, prompts, *_, **__: [""] * len(prompts))
    found = lifelong(tiny, asked(1))
    assert (found.mute == 1).all()
    assert np.isfinite(found.perplexity).all()  # what is forced does not see it


def test_ages_and_drawdown_are_read_off_the_cases() -> None:
    later = np.full((2, 3, 4), np.nan)
    later[0], later[1] = 1.0, [[0, 1, 1, 1], [1] * 4, [0.5] * 4]
    nothing = np.zeros(2)
    found = LifelongResult(
        asked(),
        {},
        [0, 4],
        later[1],
        later,
        nothing,
        nothing,
        nothing,
        ["sums", "none"],
        np.array([[0.8, 0.0], [0.2, 0.0]]),
        nothing,
        [],
        np.zeros(4),
        {},
    )
    assert [(young, old, mean.value) for young, old, mean in found.by_age(2)] == [(0, 1, 1.0), (2, 3, 0.5)]
    assert found.retention()[:, :2].tolist() == [[1, 1], [0.5, 0.25]]
    assert np.isnan(found.retention()[:, 2]).all()  # what was not there cannot be kept
    assert found.drawdown().tolist() == [0, 0.75]
    back = unpack(LifelongResult, *pack(found))
    assert np.array_equal(back.later, found.later)
    assert back.request == found.request


def test_prompts_nobody_can_ask_are_refused(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifelong_editing, "answerable", lambda lm, probes: [])
    with pytest.raises(BadRequest, match="None of the cases"):
        lifelong(tiny, asked(1))


def test_the_command_shows_what_is_left(
    tmp_path: Path, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: Any, held_out: None
) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    data = tmp_path / "cases.csv"
    lines = [f"the old {subject} stands in a,{subject},river,city,near the" for subject in SUBJECTS[:2]]
    data.write_text("\n".join(["prompt,subject,target,old,neighbours", *lines]), encoding="utf-8")
    out = tmp_path / "out.json"
    assert main(["lifelong", "--data", str(data), "--method", "ft", "--words", "2", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "nan" not in said  # a single case has no interval
    assert "At the end, by age" in said
    assert "perplexity" in said
    found = lifelong(tiny, asked(2))
    assert len(table(found)) == 3
    assert '"drawdown"' in to_json(found)


SHORT = {"layers": (1,), "tokens": 400, "steps": 4, "contexts": 2}


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits of one layer, found quickly."""
    write_each = lifelong_editing.write_each

    def short(lm: Any, request: Any, *rest: Any, **options: Any) -> Any:
        return write_each(lm, request.model_copy(update=SHORT), *rest, **options)

    monkeypatch.setattr(lifelong_editing, "write_each", short)


def by(method: str, count: int = 3, **fields: Any) -> LifelongRequest:
    return LifelongRequest(cases=CASES[:count], method=method, milestones=(1, 2), words=2, abilities=False, **fields)


def test_a_stream_that_is_solved_is_one_edit_of_all_facts(
    tiny: LanguageModel, held_out: None, few_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[tuple[Any, ...]] = []
    whole = lifelong_editing.written_over
    monkeypatch.setattr(
        lifelong_editing, "written_over", lambda lm, edits: [put.append(tuple(edits)), whole(lm, edits)][1]
    )
    found = lifelong(tiny, by("rls"))
    assert [sum(len(edit.request.facts) for edit in edits) for edits in put] == [0, 1, 1, 2, 2, 3, 3]
    assert all(len(edits) <= 1 for edits in put)
    assert put[-1][0].changes[0].rank == 3
    put.clear()
    piled = lifelong(tiny, by("rls", targets="stacked"))
    assert [len(edits) for edits in put] == [0, 1, 1, 2, 2, 3, 3]
    assert found.kl[1] == piled.kl[1]  # of one edit both are the same
    assert found.kl[-1] != piled.kl[-1]


@pytest.mark.parametrize("method", ["rls", "betaedit", "memit", "ft"])
def test_where_damage_comes_from(tiny: LanguageModel, held_out: None, few_steps: None, method: str) -> None:
    moved = lifelong(tiny, by(method)).moved
    assert moved is not None
    assert moved.neighbours == 0  # none of these is worded as its fact is
    assert np.isnan(moved.own[1:]).all()
    assert moved.text[0] == 0
    assert np.isnan(moved.text[1:]).all() if method == "ft" else (moved.text[1:] > 0).all()
    assert np.isnan(moved.values).all() if method == "ft" else (moved.values > 0).all()


@pytest.mark.parametrize("method", ["rls", "memit"])
def test_neighbours_are_moved_by_their_own_edit_and_by_others(
    tiny: LanguageModel, held_out: None, few_steps: None, method: str
) -> None:
    near = [Probe(0, "neighbour", f"the old {subject} stands in a", "river", "city") for subject in ("river", "speaks")]
    cases = tuple(Case(one.rewrites, one.olds, (*one.probes, *near), (), one.id) for one in CASES[:3])
    found = lifelong(tiny, by(method).model_copy(update={"cases": cases}))
    moved = found.moved
    assert moved is not None
    assert moved.neighbours == 6
    assert moved.own[0] == moved.others[0] == 0
    assert moved.others[1] < 1e-6 * moved.own[1]
    assert (moved.others[2:] > 0).all()
    assert (moved.both <= moved.own + moved.others + 1e-9).all()
    back = unpack(LifelongResult, *pack(found))
    assert np.array_equal(back.moved.both, moved.both)
    frame = table(found)
    assert frame["moved_both"].tolist() == moved.both.tolist()
    assert json.loads(to_json(found))["moved"]["neighbours"] == 6


def test_a_result_of_before_opens(tiny: LanguageModel, held_out: None) -> None:
    data, arrays = pack(lifelong(tiny, asked(1)))
    del data["moved"]
    assert unpack(LifelongResult, data, arrays).moved is None
