"""Stored results on a disk that misbehaves: nothing whole is lost, nothing broken is read."""

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from analysis import TraceRequest, trace
from analysis.errors import Unreadable
from analysis.study import pack
from app.jobs.compute import compute
from app.jobs.store import FORM, LOCK, ResultStore
from app.registry.studies import STUDIES
from tests.kit.faults import AT_FAULT, PASSING, WRITING, disk_fails
from tests.kit.stopping import same

TRACE = STUDIES["trace"]
REQUEST = TraceRequest(prompt="the old tower of Aldra stands in", subject="old tower", samples=2, kinds=("state",))


@pytest.fixture
def store(tmp_path) -> ResultStore:
    return ResultStore(tmp_path / "results", tmp_path / "shipped")


@pytest.fixture(scope="module")
def result(tiny):
    return trace(tiny, REQUEST)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("number", PASSING)
def test_a_passing_fault_of_the_system_deletes_nothing(store, result, number, stopped):
    store.save(TRACE, "key", result, stopped=stopped)
    before = files(store.root)
    with disk_fails(store.root, number, writing=False):
        assert store.load(TRACE, "key", stopped=stopped) is None
        with pytest.raises(Unreadable, match="left as it is"):
            store.read(TRACE, "key", stopped=stopped)
        assert "Nothing is lost" in store.disk.said()
    assert files(store.root) == before
    assert same(store.load(TRACE, "key", stopped=stopped), result)
    assert store.disk.said() is None


@pytest.mark.parametrize("number", WRITING)
def test_what_the_disk_does_not_take_is_held_until_it_does(store, tiny, result, number):
    key = REQUEST.key(tiny.own_hash)
    with disk_fails(store.root, number, reading=False):
        made = compute(TRACE, REQUEST, tiny, store)
        assert same(made, result)
        assert same(store.load(TRACE, key), result)
        assert store.held(key)
        assert store.disk.said().startswith("What you do now is not kept")
        with pytest.raises(OSError, match=r".*"):
            store.settle()
        assert store.held(key)
    assert not store.root.exists()
    store.settle()
    assert not store.held(key)
    assert store.disk.said() is None
    assert same(ResultStore(store.root).load(TRACE, key), result)


@pytest.mark.parametrize("number", WRITING)
def test_a_save_that_fails_leaves_what_was_there(store, result, number):
    store.save(TRACE, "key", result)
    before = files(store.root)
    with disk_fails(store.root, number), pytest.raises(OSError, match=r".*"):
        store.save(TRACE, "key", result)
    assert files(store.root) == before


def test_a_file_where_the_folder_should_be(tmp_path, tiny):
    (tmp_path / "results").write_text("mine")
    store = ResultStore(tmp_path / "results")
    assert compute(TRACE, REQUEST, tiny, store).complete
    assert "is not a folder" in store.disk.said()
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.parametrize("ending", ["result.json", "npz"])
@pytest.mark.parametrize("damage", AT_FAULT)
def test_content_at_fault_is_never_read_and_made_anew(store, result, damage, ending, caplog):
    store.save(TRACE, "key", result)
    (place,) = (path for path in (store.root / "key").iterdir() if path.name.endswith(ending))
    place.write_bytes(AT_FAULT[damage](place.read_bytes()))
    assert store.load(TRACE, "key") is None
    assert store.read(TRACE, "key") is None
    assert caplog.text.count("is no whole result") == 1
    store.save(TRACE, "key", result)
    assert same(store.load(TRACE, "key"), result)
    assert len(files(store.root / "key")) == 2


def test_no_flipped_bit_is_read(store, result):
    store.save(TRACE, "key", result)
    for place in (store.root / "key").iterdir():
        whole = place.read_bytes()
        for at in np.random.default_rng(3).integers(0, 8 * len(whole), 150):
            bits = bytearray(whole)
            bits[at // 8] ^= 1 << at % 8
            place.write_bytes(bytes(bits))
            found = store.load(TRACE, "key")
            assert found is None or same(found, result)  # some bits of an archive say nothing
        place.write_bytes(whole)


def test_values_of_another_type_are_no_result_even_where_nothing_was_hashed(store, result):
    """As results were stored before they carried a hash."""
    data, arrays = pack(result)
    place = store.root / "key"
    place.mkdir(parents=True)

    def put(**other: object) -> None:
        words = {"form": FORM, "study": "trace", "result": data | other}
        (place / "result.json").write_text(json.dumps(words), encoding="utf-8")
        np.savez_compressed(place / "arrays.npz", **arrays)

    put()
    assert same(store.load(TRACE, "key"), result)
    for name, value in data.items():
        for wrong in (17, "seventeen", [[]], {"$array": "none"}, {"a": {}}, True, 10**400, None):
            if type(wrong) is not type(value) and not (isinstance(wrong, int) and isinstance(value, float | int)):
                put(**{name: wrong})
                found = store.load(TRACE, "key")
                assert found is None or getattr(found, name) in (wrong, {"a": {}}), (name, wrong)


def test_threads_that_save_and_read_one_key(store, result):
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(12):
                if number % 2:
                    store.save(TRACE, "key", result, stopped=turn % 5 == 4)
                else:
                    found = ResultStore(store.root).load(TRACE, "key")
                    assert found is None or same(found, result)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert faults == []
    assert same(store.load(TRACE, "key"), result)
    assert len(list((store.root / "key").iterdir())) == 2


SAVES = """
import sys
from pathlib import Path
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
study, store = STUDIES["trace"], ResultStore(Path(sys.argv[1]))
result = store.load(study, "first")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    store.save(study, "key", result)
    assert store.read(study, "key") is not None
"""


def test_processes_that_save_one_key_do_not_run_into_each_other(store, result):
    store.save(TRACE, "first", result)
    command = [sys.executable, "-c", SAVES, str(store.root)]
    each = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for one in each:
        assert one.stdout.readline() == "ready\n"
    for one in each:
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.wait(timeout=120) for one in each] == [0, 0, 0]
    for one in each:
        one.stdin.close()
        one.stdout.close()
    assert same(store.load(TRACE, "key"), result)
    assert len(list((store.root / "key").iterdir())) == 2
    assert {path.name for path in store.root.iterdir()} == {"first", "key", LOCK}


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
study, store = STUDIES["trace"], ResultStore(Path(sys.argv[1]))
result = store.load(study, "first")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
failed = 0
for size in range(0, 6000, 37):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        store.save(study, "key", result)
    except OSError:
        failed += 1
    assert (found := store.load(study, "key")) is None or found.request == result.request
print(failed)
"""


def test_a_disk_that_is_full_at_any_byte_leaves_nothing_half_written(store, result):
    store.save(TRACE, "first", result)
    told = subprocess.run([sys.executable, "-c", FULL, str(store.root)], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 10
    assert {path.name for path in store.root.iterdir()} <= {"first", "key", LOCK}


def test_a_folder_that_goes_away_under_a_writer_is_made_again(store, result, monkeypatch):
    real, gone = np.savez_compressed, []

    def take_away(path: Path, **arrays: object) -> None:
        real(path, **arrays)
        if not gone:
            gone.append(path.rename(path.with_name("gone")))

    monkeypatch.setattr(np, "savez_compressed", take_away)
    store.save(TRACE, "key", result)
    assert same(store.load(TRACE, "key"), result)


def test_the_disk_says_each_reason_in_words(store, result):
    for number in (errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ENAMETOOLONG):
        with disk_fails(store.root, number):
            store.keep(TRACE, "key", result)
            assert str(store.disk.home) in store.disk.said()
            assert "/" not in store.disk.said(place=False)
