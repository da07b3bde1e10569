"""Results on disk: all of one or nothing, and broken ones made anew."""

import os
import time

import numpy as np
import pytest

from analysis import KnownRequest, LensRequest, TraceRequest, known_facts, logit_lens, trace
from analysis.study import pack
from app.jobs.compute import compute, stored
from app.jobs.store import FORM, LOCK, ResultStore
from app.registry.studies import STUDIES

TRACE = STUDIES["trace"]
REQUEST = TraceRequest(
    prompt="the old tower of Aldra stands in", subject="old tower", samples=2, kinds=("state", "mlp")
)


@pytest.fixture
def store(tmp_path) -> ResultStore:
    return ResultStore(tmp_path / "results", tmp_path / "shipped")


@pytest.fixture(scope="module")
def result(tiny):
    return trace(tiny, REQUEST)


def same(one, other) -> bool:
    (data, arrays), (other_data, other_arrays) = pack(one), pack(other)
    equal = all(np.array_equal(value, other_arrays[name], equal_nan=True) for name, value in arrays.items())
    return equal and data == other_data and arrays.keys() == other_arrays.keys()


@pytest.mark.parametrize("name", ["trace", "lens", "facts"])
def test_a_result_comes_back_as_it_went(store, tiny, name):
    requests = {"trace": REQUEST, "lens": LensRequest(prompt="the old tower"), "facts": KnownRequest()}
    runs = {"trace": trace, "lens": logit_lens, "facts": known_facts}
    made = runs[name](tiny, requests[name])
    store.save(STUDIES[name], "key", made)
    back = store.load(STUDIES[name], "key")
    assert type(back) is type(made)
    assert same(made, back)
    assert back.request == requests[name]


def test_nothing_is_there_before(store):
    assert store.load(TRACE, "key") is None


def test_a_crash_while_writing_leaves_nothing(store, result, monkeypatch):
    def crash(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", crash)
    with pytest.raises(OSError, match="No space"):
        store.save(TRACE, "key", result)
    assert list(store.root.iterdir()) == []


def test_a_crash_while_writing_leaves_the_older_result(store, result, monkeypatch):
    store.save(TRACE, "key", result)
    monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        store.save(TRACE, "key", result)
    assert same(store.load(TRACE, "key"), result)


def test_what_a_killed_writer_left_is_swept_up_later(store, result):
    left = store.root / ".new-killed"
    left.mkdir(parents=True)
    fresh = store.root / ".new-writing-now"
    fresh.mkdir()
    before = time.time() - 7200
    os.utime(left, (before, before))
    store.save(TRACE, "key", result)
    assert {path.name for path in store.root.iterdir()} == {".new-writing-now", LOCK, "key"}


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "no arrays", "other form", "not json", "other study", "missing field"]
)
def test_a_broken_folder_is_computed_anew(store, tiny, result, damage):
    key = REQUEST.key(tiny.weights_hash)
    store.save(TRACE, key, result)
    words, (arrays,) = store.root / key / "result.json", (store.root / key).glob("arrays*.npz")
    if damage == "cut":
        arrays.write_bytes(arrays.read_bytes()[:-100])
    elif damage == "empty":
        arrays.write_bytes(b"")
    elif damage == "no arrays":
        arrays.unlink()
    elif damage == "other form":
        words.write_text(words.read_text().replace(f'"form": {FORM}', f'"form": {FORM + 1}'))
    elif damage == "not json":
        words.write_text(words.read_text()[:-5])
    elif damage == "other study":
        words.write_text(words.read_text().replace('"study": "trace"', '"study": "lens"'))
    else:
        words.write_text(words.read_text().replace('"tokens":', '"tokans":'))
    assert store.load(TRACE, key) is None
    again = stored(TRACE, REQUEST, tiny, store)
    assert np.array_equal(again.scores("state"), result.scores("state"))
    assert store.load(TRACE, key) is not None


def test_stopped_and_finished_are_kept_apart(store, result):
    store.save(TRACE, "key", result, stopped=True)
    assert store.load(TRACE, "key") is None
    assert store.load(TRACE, "key", stopped=True) is not None
    store.save(TRACE, "key", result)
    assert store.load(TRACE, "key") is not None
    assert store.load(TRACE, "key", stopped=True) is None


def test_a_stopped_result_can_be_discarded(store, result):
    store.save(TRACE, "key", result, stopped=True)
    store.discard("key")
    assert store.load(TRACE, "key", stopped=True) is None


def test_shipped_results_are_read_and_never_touched(tmp_path, result):
    ResultStore(tmp_path / "shipped").save(TRACE, "key", result)
    store = ResultStore(tmp_path / "results", tmp_path / "shipped")
    assert same(store.load(TRACE, "key"), result)
    for arrays in (tmp_path / "shipped" / "key").glob("arrays*.npz"):
        arrays.write_bytes(b"broken")
    assert store.load(TRACE, "key") is None
    assert (tmp_path / "shipped" / "key").exists()


def test_a_result_survives_a_full_disk(store, tiny, monkeypatch, caplog):
    monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    assert compute(TRACE, REQUEST, tiny, store).complete
    assert "full" in caplog.text
