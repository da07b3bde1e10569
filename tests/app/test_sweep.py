"""Sweeps: what is asked of each case, going on after a kill, and a cluster's results beside this process's own."""

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import ModelSpec
from analysis.errors import BadFile, BadRequest, Unreadable
from analysis.model.language_model import LanguageModel
from app.cli import main
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.sweeps import ray_engine
from app.sweeps.file import read_sweep, whole_table, wholes
from app.sweeps.plan import planned
from app.sweeps.ray_engine import RayEngine, Worker
from app.sweeps.sweep import InProcess, sweep
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import evaluate
from tests.kit.faults import disk_fails
from tests.kit.sweeps import CASES, FIELDS, SUBJECTS, folder, numbers, same

__all__ = ["folder"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "cases.csv"
    lines = [f"the old {subject} stands in a,{subject},river,city,near the" for subject in SUBJECTS]
    place.write_text("\n".join(["prompt,subject,target,old,neighbours", *lines]), encoding="utf-8")
    return place


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.from_case])
def test_every_study_takes_its_fields_from_a_case(name: str, tiny: LanguageModel) -> None:
    study = STUDIES[name]
    units, faults = planned(study, CASES[:1], {}, [])
    assert not faults
    assert units[0].case == "tower-of-Aldra"
    assert set(ENTRIES[name].from_case) <= set(study.request.model_fields)


def test_a_case_of_several_facts_is_asked_fact_by_fact_where_a_study_asks_one_prompt() -> None:
    both = replace(CASES[0], rewrites=(CASES[0].rewrite, CASES[1].rewrite), olds=("city", "wood"))
    units, _ = planned(STUDIES["trace"], (both,), {}, [])
    assert [unit.case for unit in units] == ["tower-of-Aldra", "tower-of-Aldra, fact 2"]
    assert [unit.request.subject for unit in units] == ["tower of Aldra", "mother"]
    heads, _ = planned(STUDIES["heads"], (both,), {}, [])
    assert [unit.request.memory for unit in heads] == ["city", "wood"]
    assert len(planned(STUDIES["edit"], (both,), {"method": "memit"}, [])[0]) == 1


def test_fields_vary_in_every_combination() -> None:
    units, _ = planned(STUDIES["trace"], CASES[:2], {"kinds": ["state"]}, ["noise=1,3", "samples=1,2"])
    assert [unit.setting for unit in units[:4]] == [
        "noise=1, samples=1", "noise=1, samples=2", "noise=3, samples=1", "noise=3, samples=2"
    ]  # fmt: skip
    assert len(units) == 8
    assert units[1].request.samples == 2  # type: ignore[attr-defined]
    listed, _ = planned(STUDIES["edit"], CASES[:1], {"method": "memit"}, ["layers=0+1,2"])
    assert [unit.request.layers for unit in listed] == [(0, 1), (2,)]  # type: ignore[attr-defined]
    parts, _ = planned(STUDIES["evaluate"], CASES[:2], {"methods": ("ft", "rome")}, [])
    assert [(unit.case, unit.request.methods) for unit in parts[:2]] == [  # type: ignore[attr-defined]
        ("tower-of-Aldra", ("ft",)), ("tower-of-Aldra", ("rome",))
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["noise", "noise=", "prompt=a,b", "nonsense=1"])
def test_a_field_that_cannot_vary_is_refused(word: str) -> None:
    with pytest.raises(BadRequest, match="written field=value"):
        planned(STUDIES["trace"], CASES, {}, [word])


def test_a_sweep_is_the_studies_one_by_one_and_stored_ones_are_not_run_again(
    tiny: LanguageModel, tmp_path: Path
) -> None:
    study, store = STUDIES["evaluate"], ResultStore(tmp_path)
    units, _ = planned(study, CASES, FIELDS, [])
    first = sweep(study, units[:2], InProcess(tiny), store)
    assert (first.computed, first.found) == (2, 0)
    swept = sweep(study, units, InProcess(tiny), store)
    assert (swept.computed, swept.found) == (len(units) - 2, 2)
    whole = evaluate(tiny, EvaluateRequest(cases=CASES, methods=("ft",), words=2))
    each = [store.load(study, key) for key in swept.keys]
    assert np.array_equal(np.concatenate([one.values for one in each], axis=2), whole.values, equal_nan=True)


def test_a_request_that_is_refused_does_not_end_the_sweep(tiny: LanguageModel, tmp_path: Path) -> None:
    study = STUDIES["edit"]
    units, _ = planned(study, CASES[:2], {"method": "ft"}, ["layers=1,99"])
    swept = sweep(study, units, InProcess(tiny), ResultStore(tmp_path))
    assert swept.computed == 2
    assert len(swept.refused) == 2
    assert all("no layer 99" in sentence for sentence in swept.refused.values())


def test_one_sweep_runs_once_at_a_time(tiny: LanguageModel, tmp_path: Path) -> None:
    study, store = STUDIES["lens"], ResultStore(tmp_path)
    units, _ = planned(study, CASES[:1], {}, [])

    class Within(InProcess):
        def run(self, *args: Any) -> Any:
            with pytest.raises(BadRequest, match="running already"):
                sweep(study, units, InProcess(tiny), store)
            return super().run(*args)

    assert sweep(study, units, Within(tiny), store).computed == 1


def test_killed_in_the_middle_it_goes_on_with_nothing_lost_or_done_twice(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    words = ["sweep", "evaluate", "--model", str(folder), "--data", str(data), "--methods", "ft", "--words", "2"]
    homes = [tmp_path / "killed", tmp_path / "whole"]
    run = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *words],
        env=os.environ | {"PALIMPSEST_HOME": str(homes[0]), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = ResultStore(homes[0] / "results")

    def there() -> dict[str, float]:
        places = store.root.glob("*/result.json")
        return {one.parent.name: one.stat().st_mtime for one in places if not one.parent.name.startswith(".")}

    until = time.monotonic() + 240
    while len(there()) < 2 and run.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = there()
    assert 2 <= len(before) < len(SUBJECTS)
    files = []
    for home in homes:
        monkeypatch.setenv("PALIMPSEST_HOME", str(home))
        files.append(home / "sweep.json")
        assert main([*words, "--out", str(files[-1])]) == 0
    assert f"{len(before)} stored before" in capsys.readouterr().out
    after = there()
    assert all(after[key] == time_written for key, time_written in before.items())
    found = [read_sweep(place) for place in files]
    assert found[0].entries == found[1].entries
    keys = [entry.key for entry in found[0].entries]
    one, other = (numbers("evaluate", keys, ResultStore(home / "results")) for home in homes)
    assert same(one, other)
    outs = [f"--{kind}={tmp_path / kind}" for kind in ("csv", "html", "markdown")]
    assert main(["report", str(files[0]), *outs]) == 0
    assert "ft" in (tmp_path / "markdown").read_text(encoding="utf-8")
    assert (tmp_path / "html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_cluster_gives_the_same_results_also_when_a_worker_is_killed(folder: Path, tmp_path: Path) -> None:
    from analysis import load

    study = STUDIES["evaluate"]
    spec = ModelSpec(source=str(folder))
    lm = load(spec)
    units, _ = planned(study, CASES, FIELDS, [])
    here, there, killed = (ResultStore(tmp_path / name) for name in ("here", "there", "killed"))
    keys = sweep(study, units, InProcess(lm), here).keys
    with RayEngine(spec, workers=2) as engine:
        assert engine.own_hash == lm.own_hash
        assert sweep(study, units, engine, there).computed == len(units)
        first = engine.processes()[0]
        told = 0

        def kill_one(*_: Any, **__: Any) -> None:
            nonlocal told
            told += 1
            if told == len(units) + 2:  # once requests are out
                os.kill(first, signal.SIGKILL)

        swept = sweep(study, units, engine, killed, kill_one)
        assert swept.computed == len(units)
        assert not swept.refused
        assert first not in engine.processes()
        bad, _ = planned(STUDIES["edit"], CASES[:1], {"method": "ft"}, ["layers=99"])
        assert "no layer 99" in next(iter(sweep(STUDIES["edit"], bad, engine, there).refused.values()))
    results = [numbers("evaluate", keys, store) for store in (here, there, killed)]
    assert same(results[0], results[1])
    assert same(results[0], results[2])


def test_a_cluster_that_cannot_serve_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No Ray cluster answers"), RayEngine(ModelSpec(), address="127.0.0.1:1"):
        pass
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadRequest, match="could not load"), RayEngine(ModelSpec(source=str(empty)), workers=1):
        pass


def test_reports_of_what_is_there(tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.sweeps.file import file_of

    study, store = STUDIES["evaluate"], ResultStore(tmp_path)
    units, _ = planned(study, CASES[:3], FIELDS | {"free": False}, ["seed=1,2"])
    engine = InProcess(tiny)
    swept = sweep(study, units[:5], engine, store)  # the last case lacks its second setting
    keys = [unit.request.key(engine.own_hash) for unit in units]
    whole = file_of("evaluate", ModelSpec(), engine, units, type(swept)(keys, 0, 5, {}), [])
    each = wholes(whole, store)
    assert {name: len(one.request.cases) for name, one in each.items()} == {"seed=1": 3, "seed=2": 2}
    assert set(whole_table(whole, store)["setting"]) == {"seed=1", "seed=2"}
    lens, _ = planned(STUDIES["lens"], CASES[:2], {}, [])
    read = file_of("lens", ModelSpec(), engine, lens, sweep(STUDIES["lens"], lens, engine, store), [])
    assert set(whole_table(read, store)["case"]) == {unit.case for unit in lens}
    with pytest.raises(BadRequest, match="only evaluations"):
        wholes(read, store)
    with pytest.raises(BadRequest, match="Run the same sweep again"):
        whole_table(read, ResultStore(tmp_path / "elsewhere"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"study": "trace"}', "[" * 100_000])
def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path, text: str) -> None:
    place = tmp_path / "sweep.json"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match="not the file of a sweep"):
        read_sweep(place)
    assert main(["report", str(place)]) == 2
    assert main(["report", str(tmp_path / "none.json")]) == 2


class Dying(Worker):
    def run(self, study: str, request: str) -> Any:
        os._exit(1)


def test_a_request_whose_workers_die_is_left(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "Worker", Dying)
    study, (unit, *_) = STUDIES["lens"], planned(STUDIES["lens"], CASES[:1], {}, [])[0]
    with RayEngine(ModelSpec(source=str(folder)), workers=1) as engine:
        swept = sweep(study, [unit], engine, ResultStore(tmp_path / "results"))
    assert list(swept.refused.values()) == ["Its worker died 3 times, perhaps for want of memory."]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_sweep_whose_results_cannot_be_kept_ends_with_a_sentence_and_goes_on_later(
    number: int, tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sweeps.sweep.PAUSES", (0.0,))
    study, store = STUDIES["lens"], ResultStore(tmp_path / "results")
    units, _ = planned(study, CASES, {}, [])
    with disk_fails(tmp_path, number, reading=False), pytest.raises(BadRequest, match="A sweep keeps its results"):
        sweep(study, units, InProcess(tiny), store)
    assert sweep(study, units[:2], InProcess(tiny), store).computed == 2
    with ExitStack() as stack:

        class Filling(InProcess):
            def run(self, *args: Any) -> Any:
                stack.enter_context(disk_fails(tmp_path, number, reading=False))
                return super().run(*args)

        with pytest.raises(BadRequest, match="The sweep has ended early"):
            sweep(study, units, Filling(tiny), store)
    swept = sweep(study, units, InProcess(tiny), ResultStore(store.root))
    assert (swept.found, swept.computed) == (2, len(units) - 2)


def test_a_fault_that_passes_does_not_end_a_sweep(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, store = STUDIES["lens"], ResultStore(tmp_path / "results")
    units, _ = planned(study, CASES, {}, [])
    stack, real = ExitStack(), time.sleep

    class Failing(InProcess):
        def run(self, *args: Any) -> Any:
            stack.enter_context(disk_fails(tmp_path, errno.EMFILE, reading=False))
            return super().run(*args)

    monkeypatch.setattr("app.sweeps.sweep.time.sleep", lambda seconds: stack.close() or real(0))
    assert sweep(study, units, Failing(tiny), store).computed == len(units)
    assert sweep(study, units, InProcess(tiny), ResultStore(store.root)).found == len(units)


def test_a_report_leaves_out_nothing_that_cannot_be_read_now(tiny: LanguageModel, tmp_path: Path) -> None:
    from app.sweeps.file import file_of

    study, store, engine = STUDIES["lens"], ResultStore(tmp_path), InProcess(tiny)
    units, _ = planned(study, CASES[:2], {}, [])
    found = file_of("lens", ModelSpec(), engine, units, sweep(study, units, engine, store), [])
    with disk_fails(tmp_path, errno.EIO), pytest.raises(Unreadable, match="left as it is"):
        whole_table(found, store)
    assert len(set(whole_table(found, store)["case"])) == 2


class Full(Worker):
    """A worker on a machine whose disk is full, until it is begun anew."""

    def run(self, study: str, request: str) -> Any:
        mark = Path(os.environ["FULL_ONCE"])
        if not mark.exists():
            mark.touch()
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().run(study, request)


def test_a_machine_whose_disk_is_full_gives_its_requests_to_another(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "Worker", Full)
    monkeypatch.setenv("FULL_ONCE", str(tmp_path / "mark"))
    study = STUDIES["lens"]
    units, _ = planned(study, CASES, {}, [])
    with RayEngine(ModelSpec(source=str(folder)), workers=2) as engine:
        swept = sweep(study, units, engine, ResultStore(tmp_path / "results"))
    assert (swept.computed, swept.refused) == (len(units), {})


def test_a_cluster_that_is_lost_leaves_what_was_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker comes back: the network is parted, or the machines are gone."""
    monkeypatch.setattr(ray_engine, "PATIENCE", 1.0)
    study, store = STUDIES["lens"], ResultStore(tmp_path / "results")
    units, _ = planned(study, CASES, {}, [])
    with RayEngine(ModelSpec(source=str(folder)), workers=1) as engine:
        process, told = engine.processes()[0], []

        def kill_it(*_: Any, **__: Any) -> None:
            if len(list(store.root.glob("*/result.json"))) == 2 and not told:
                told.append(os.kill(process, signal.SIGKILL))
                never = engine._ray.remote(lambda: time.sleep(600)).options(num_cpus=99)
                monkeypatch.setattr(engine, "_new_at", lambda seat: never.remote())

        with pytest.raises(BadRequest, match="The cluster has had no worker"):
            sweep(study, units, engine, store, kill_it)
    before = {path: path.stat().st_mtime_ns for path in store.root.glob("*/result.json")}
    assert 2 <= len(before) < len(units)
    from analysis import load

    swept = sweep(study, units, InProcess(load(ModelSpec(source=str(folder)))), store)
    assert (swept.found, swept.computed) == (len(before), len(units) - len(before))
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
