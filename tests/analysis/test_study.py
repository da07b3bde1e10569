"""Requests, and runs that are stopped, carried on, packed and read again."""

import dataclasses
import json

import numpy as np
import pytest
from pydantic import ValidationError

from analysis.errors import Cancelled
from analysis.lens.result import LensRequest, LensResult
from analysis.lens.run import logit_lens
from analysis.study import pack, provenance, unpack
from analysis.tracing.average_result import AverageRequest
from analysis.tracing.result import KINDS, TraceRequest, TraceResult
from analysis.tracing.run import ROW_BUDGET, trace
from tests.kit.traces import BEGIN, END, REPLACE, REQUEST, TOKENS, asked, far, same, traced

# Requests


def test_a_request_reads_its_own_json():
    for request in (REQUEST, REPLACE, LensRequest(prompt="the old"), AverageRequest(facts=3, kinds=("attn", "state"))):
        assert type(request).model_validate_json(request.model_dump_json()) == request
        assert type(request)(**json.loads(request.model_dump_json())).key("m") == request.key("m")


def test_a_key_names_request_and_model():
    changes = ({"samples": 4}, {"kinds": ("state",)}, {"seed": 2}, {"answer": "x"}, {"window": None}, {"sigma": 0.3})
    keys = {REQUEST.key("m"), REQUEST.key("n"), *(asked(**change).key("m") for change in changes)}
    assert len(keys) == 2 + len(changes)
    assert LensRequest(prompt="a").key("m") != LensRequest(prompt="b").key("m")


def test_a_later_edition_is_another_key(monkeypatch):
    before = LensRequest(prompt="a").key("m")
    monkeypatch.setattr(LensRequest, "edition", 1)
    first = LensRequest(prompt="a").key("m")
    monkeypatch.setattr(LensRequest, "edition", 2)
    assert len({before, first, LensRequest(prompt="a").key("m")}) == 3
    assert LensRequest(prompt="a").given() == {"prompt": "a"}


def test_a_key_does_not_change_from_one_version_to_the_next():
    """Stored results are found by it; a change of its rule makes all of them unfindable."""
    assert LensRequest(prompt="the old").key("m") == "f50d5773d96c2d33295e99c4"


def test_requests_of_one_meaning_are_one_request():
    plain = TraceRequest(prompt="the old tower", subject="tower")
    assert TraceRequest(prompt="the old tower \n", subject="tower", answer="  ") == plain
    assert asked(kinds=("attn", "state", "attn")) == asked(kinds=("state", "attn"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampels": 3},
        {"samples": 0},
        {"kinds": ()},
        {"kinds": ("head",)},
        {"noise": -1},
        {"noise": float("nan")},
        {"sigma": 0},
        {"seed": 2**32},
        {"occurrence": -1},
        {"corruption": "erase"},
        {"replacement": "Brin"},
        {"window": 0},
    ],
    ids=str,
)
def test_wrong_requests_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong)) if "replacement" not in wrong else "replacement"):
        asked(**wrong)


def test_a_request_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        REQUEST.samples = 4


# Stopping and carrying on


class Stopper:
    """Raises `Cancelled` at the n-th report and keeps what it was told."""

    def __init__(self, at: int = -1):
        self.at, self.calls, self.partials, self.shares = at, [], [], []

    def __call__(self, done, total, note="", partial=None, share=None):
        self.calls.append((done, total))
        self.shares.append(share)
        if partial is not None:
            self.partials.append(dataclasses.replace(partial, grids={k: copy(g) for k, g in partial.grids.items()}))
        if len(self.calls) == self.at:
            raise Cancelled


def copy(grid):
    return dataclasses.replace(grid, **{k: v.copy() for k, v in vars(grid).items() if isinstance(v, np.ndarray)})


def test_progress_runs_up_to_its_end(tiny):
    heard = Stopper()
    trace(tiny, REQUEST, heard)
    done = [call[0] for call in heard.calls]
    shares = [share for share in heard.shares if share is not None]
    assert done == sorted(done) and shares == sorted(shares)
    assert heard.calls[-1] == (len(KINDS) * tiny.n_layers * TOKENS,) * 2
    assert (shares[0], shares[-1]) == (0, pytest.approx(1))


def test_the_first_report_has_everything_but_the_cells(tiny):
    heard = Stopper(at=1)
    with pytest.raises(Cancelled):
        trace(tiny, REQUEST, heard)
    first = heard.partials[0]
    assert first.high == traced(tiny).high and first.low == traced(tiny).low
    assert set(first.previews) == set(KINDS)
    assert first.lens.top_ids.shape[:2] == (3, TOKENS)
    assert first.cells == (len(KINDS) * 3 * BEGIN, len(KINDS) * 3 * TOKENS)
    assert np.isnan(first.indirect_effects("state")[:, BEGIN:]).all()


def test_the_first_rows_are_the_last_of_the_subject_and_the_last_of_the_prompt(tiny):
    heard = Stopper()
    trace(tiny, asked(kinds=("state",)), heard)
    new = [np.flatnonzero(b.grids["state"].computed[0] & ~a.grids["state"].computed[0]).tolist()
           for a, b in zip(heard.partials, heard.partials[1:], strict=False)]  # fmt: skip
    assert new == [[4], [7], [2], [3], [5], [6]]


@pytest.mark.parametrize(("at", "budget"), [(1, 4096), (7, 1), (23, 4096), (61, 1)])
def test_a_stopped_trace_carried_on_equals_one_that_was_not(tiny, monkeypatch, at, budget):
    monkeypatch.setitem(ROW_BUDGET, "cpu", budget)
    heard = Stopper(at)
    with pytest.raises(Cancelled):
        trace(tiny, REQUEST, heard)
    partial = heard.partials[-1]
    assert not partial.complete
    finished = trace(tiny, REQUEST, resume_from=partial)
    assert finished.complete
    assert same(finished, whole := trace(tiny, REQUEST))
    assert set(finished.words) == set(whole.words)


def test_a_stop_reaches_the_run_between_blocks(tiny):
    """A report before every block of every group: none of them may take long."""
    heard = Stopper()
    trace(tiny, asked(kinds=("state",)), heard)
    assert len(heard.calls) >= (TOKENS - BEGIN) * (tiny.n_layers - 1)


def test_cells_already_there_are_not_computed_again(tiny, monkeypatch):
    heard = Stopper(at=23)
    with pytest.raises(Cancelled):
        trace(tiny, REQUEST, heard)
    partial = heard.partials[-1]
    for grid in partial.grids.values():
        grid.probability[:, grid.computed] = 0.5
    kept = {kind: grid.computed for kind, grid in partial.grids.items()}
    finished = trace(tiny, REQUEST, resume_from=partial)
    for kind, there in kept.items():
        there = there.copy()
        there[:, :BEGIN] = False
        assert (finished.grids[kind].probability[:, there] == 0.5).all()
        assert not (finished.grids[kind].probability[:, ~there] == 0.5).any()


def test_nothing_is_left_to_do_for_a_finished_trace(tiny):
    heard = Stopper()
    finished = traced(tiny)
    trace(tiny, REQUEST, heard, resume_from=finished)
    assert len(heard.calls) == 1


def test_a_stopped_trace_leaves_no_hook_behind(tiny):
    def hooks():
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny.model.modules())

    before = hooks()
    for at in (1, 5, 40):
        with pytest.raises(Cancelled):
            trace(tiny, REQUEST, Stopper(at))
        assert hooks() == before


# Packing


def test_a_result_packs_into_json_and_arrays_and_back(tiny):
    result = traced(tiny)
    data, arrays = pack(result)
    text = json.dumps(data, allow_nan=False)
    assert len(text) < 20_000
    again = unpack(TraceResult, json.loads(text), arrays)
    assert alike(again, result)
    assert again.subject == (BEGIN, END) and isinstance(again.request, TraceRequest)
    assert far(again.indirect_effects("mlp", "kl"), result.indirect_effects("mlp", "kl")) == 0


def test_a_stopped_result_packs_and_is_carried_on(tiny):
    heard = Stopper(at=23)
    with pytest.raises(Cancelled):
        trace(tiny, REQUEST, heard)
    data, arrays = pack(heard.partials[-1])
    again = unpack(TraceResult, json.loads(json.dumps(data, allow_nan=False)), arrays)
    assert same(trace(tiny, REQUEST, resume_from=again), traced(tiny))


def test_a_lens_packs_and_reads_back(tiny):
    result = logit_lens(tiny, LensRequest(prompt="the old tower"))
    data, arrays = pack(result)
    assert alike(unpack(LensResult, json.loads(json.dumps(data)), arrays), result)


def test_packing_keeps_plain_things():
    value = {"a": [1, None, "x", {"b": np.arange(3)}], "c": (True, 0.5)}
    data, arrays = pack(value)
    assert data == {"a": [1, None, "x", {"b": {"$array": "a0"}}], "c": [True, 0.5]}
    assert arrays["a0"] is value["a"][3]["b"]


def alike(a, b) -> bool:
    """Equal in type and value all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if dataclasses.is_dataclass(a):
        return all(alike(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b


def test_provenance_is_json_and_tells_versions():
    told = json.loads(json.dumps(provenance(1.23456)))
    assert told["seconds"] == 1.235
    assert {"torch", "transformers", "transformer-lens", "numpy", "python"} == set(told["versions"])
