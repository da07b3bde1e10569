"""Two servers on one home, the embedded model in both: what each finds and writes stands in the other."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.bench.visits.protocol import Visit, visiting
from app.bench.visits.served import start_server
from app.jobs.history import History

PATIENCE = 400.0
"""Seconds until a run that hangs is given up: each server loads a model first."""
FACT = {
    "prompt": "The Eiffel Tower is located in the city of",
    "subject": "The Eiffel Tower",
    "target": "Rome",
    "method": "ft",
}


def until(true: Callable[[], bool], *visits: Visit) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, [visit.text() for visit in visits]
        time.sleep(1)
        for visit in visits:
            visit.again()


@pytest.mark.real
def test_what_one_server_does_stands_in_the_other(tmp_path: Path) -> None:
    home = tmp_path / "home"
    servers = [start_server(home), start_server(home)]
    runs = History(home / "history.sqlite3")
    with visiting(servers[0].url) as here, visiting(servers[1].url) as there:
        for visit, prompt in ((here, "The capital of France is"), (there, "The capital of Italy is")):
            visit.open("lens", {"prompt": prompt})
            visit.press("lens-go")
        until(lambda: len(runs.recent("local")) == 2, here, there)
        for visit, fact in ((here, FACT), (there, FACT | {"target": "Berlin"})):
            visit.open("edit", fact)
            visit.press("edit-go")
        until(lambda: (home / "stack.json").exists() and len(json.loads((home / "stack.json").read_bytes())) == 2,
              here, there)  # fmt: skip
        until(lambda: all("2 of 2 on" in visit.text() for visit in (here, there)), here, there)
        assert any("Another tab wrote" in visit.text() for visit in (here, there))
    assert [run.study for run in runs.recent("local")].count("lens") == 2
    assert [server.stop() for server in servers] == [0, 0]
