"""Killed at any moment: nothing is lost but the run, and asked again it gives the same bits."""

import subprocess
import sys

from analysis import LensRequest, logit_lens
from app.bench.form import Bench
from app.bench.server.kills import add_kills, kinds
from app.bench.server.run_kills import add_run_kills
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES

STEPS = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
study, store = STUDIES["lens"], ResultStore(Path(sys.argv[1]))
old = store.read(study, "old")
new = replace(old, provenance=old.provenance | {"seconds": 7.0})
left = 0

def counted(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

killed, step = 1, 0
while killed:
    step += 1
    store.save(study, "both", old)
    pid = os.fork()
    if not pid:
        for name in ("open", "replace", "mkdir", "fsync", "unlink", "rmdir", "write"):
            setattr(os, name, counted(getattr(os, name)))
        left = step
        store.save(study, "both", new)
        store.save(study, f"new-{step}", new)
        store.save(study, "both", new, stopped=True)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    found = ResultStore(store.root).read(study, "both")
    assert found.provenance in (old.provenance, new.provenance), step
    for key, stopped in ((f"new-{step}", False), ("both", True)):
        found = ResultStore(store.root).read(study, key, stopped=stopped)
        assert found is None or found.provenance == new.provenance, step
print(step)
"""


def test_killed_before_any_step_of_a_save_there_is_the_old_or_the_new(tiny, tmp_path):
    ResultStore(tmp_path).save(STUDIES["lens"], "old", logit_lens(tiny, LensRequest(prompt="the old tower")))
    run = subprocess.run([sys.executable, "-c", STEPS, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(run.stdout) > 20


def test_runs_of_a_few_kinds_survive_being_killed():
    """All kinds, twenty times each, are a benchmark."""
    bench = Bench({}, {})
    assert add_kills(bench, each=1, seed=5, only=("sweep", "moments", "resumed")) == []
    assert {figure.name: figure.value for figure in bench.figures} == {"kills.tried": 3, "kills.survived": 3}
    assert {"trace", "edit", "lens", "sweep", "moments", "resumed"} <= kinds().keys()


def test_the_process_of_a_workers_runs_survives_it_too():
    bench = Bench({}, {})
    assert add_run_kills(bench, each=1, seed=1) == []
    assert {figure.name: figure.value for figure in bench.figures} == {"kills.run_tried": 1, "kills.run_survived": 1}
