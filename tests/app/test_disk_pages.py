"""Pages on a disk that misbehaves: one sentence, examples that open, runs that go on in memory."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analysis import ModelSpec
from analysis.cache_home import cache_home
from app.jobs import disk as disk_module
from app.jobs import services as shared
from app.jobs.history import NOT_KEPT
from app.registry.studies import ENTRIES
from app.session import address, edit_stack
from app.shell import margin
from tests.app.test_history import RUN
from tests.kit.faults import AT_FAULT, PASSING, disk_fails
from tests.kit.visiting import FACT, LINK, fine, run, text, until, visit, wrote

PAGES = ("start", *dict.fromkeys(one.page for one in ENTRIES.values() if one.page and one.own_page), "compare")
NOT = "What you do now is not kept"


@pytest.fixture
def broken(tmp_path: Path, loader, monkeypatch) -> shared.Services:
    """A workbench whose home is a file, its model loaded."""
    (tmp_path / "home").write_text("mine")
    monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: fresh)
    monkeypatch.setattr(disk_module, "EVERY", 0.0)
    made = shared.services()
    made.begin()
    until(lambda: ModelSpec() in made.models.cards)
    return made


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_it_once(broken, page):
    at = fine(visit(page))
    assert text(at).count(NOT) == 1
    assert "is not a folder" in text(at)


def test_a_stranger_is_told_no_place(broken, monkeypatch, tmp_path):
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    at = fine(visit("start"))
    assert text(at).count(NOT) == 1
    assert str(tmp_path) not in text(at)


def test_a_run_goes_on_in_memory_and_is_written_when_the_disk_takes_it(broken, tmp_path):
    at = run(visit("trace", **LINK))
    assert text(at).count(NOT) == 1
    job = at.session_state["trace.job"]
    assert job.state == "done"
    (rail,) = broken.history.recent("local")
    assert rail.note.endswith(NOT_KEPT)
    again = fine(visit("trace", **LINK))
    assert again.get("plotly_chart")
    (tmp_path / "home").unlink()
    at = fine(visit("trace", **LINK))
    assert NOT not in text(at)
    (rail,) = broken.history.recent("local")
    assert not rail.note.endswith(NOT_KEPT)
    assert (cache_home() / "results" / job.key / "result.json").exists()


def test_an_edit_is_written_over_in_memory_and_kept_when_the_disk_takes_it(broken, tmp_path):
    at = wrote(visit("edit", **FACT))
    assert text(at).count(NOT) == 1
    assert len(at.session_state["written"].layers) == 1
    (tmp_path / "home").unlink()
    fine(fine(at.run()).run())
    assert len(json.loads((tmp_path / "home" / edit_stack.PLACE).read_text())) == 1
    assert len(fine(visit("edit")).session_state["written"].layers) == 1


@pytest.mark.parametrize("number", PASSING)
def test_a_stack_that_cannot_be_read_now_is_not_written_over(ready, number):
    wrote(visit("edit", **FACT))
    place = cache_home() / edit_stack.PLACE
    before = place.read_bytes()
    with disk_fails(cache_home(), number, writing=False):
        at = fine(visit("edit"))
        assert "cannot be read now" in text(at)
        assert "written" not in at.session_state
    assert place.read_bytes() == before
    assert len(fine(at.run()).session_state["written"].layers) == 1


@pytest.mark.parametrize("damage", AT_FAULT)
def test_a_stack_whose_content_is_at_fault_is_an_empty_one(ready, damage):
    place = cache_home() / edit_stack.PLACE
    place.write_bytes(AT_FAULT[damage](b'[{"edit": "a", "on": true}]'))
    fine(visit("start"))


def test_the_disk_fills_while_the_workbench_runs(ready, monkeypatch):
    monkeypatch.setattr(disk_module, "EVERY", 0.0)
    with disk_fails(cache_home(), errno.ENOSPC, reading=False):
        at = run(visit("trace", **LINK))
        at = fine(at.run())
        assert "is full" in text(at)
        assert text(at).count(NOT) == 1
    at = fine(at.run())
    assert NOT not in text(at)


def test_a_run_of_another_edition_stands_on_the_rail_and_breaks_nothing(ready):
    for key, study, request in (
        ("k1", "trace", {"no": "field"}),
        ("k2", "no study", {}),
        ("k3", "edit", {"facts": []}),
    ):
        ready.history.add("local", replace(RUN, key=key, study=study, request=request, title="a: b → c"))
    at = fine(visit("start"))
    for key in ("k1", "k2"):
        assert margin.open_run(ready.history.find("local", key)) is None
    assert "Earlier runs" in text(at)


def test_a_run_whose_study_is_gone_is_told_of(ready):
    ready.history.add("local", replace(RUN, key="k1" * 32, study="gone", request={}))
    assert "An earlier run is of “gone”, which no page here shows" in text(fine(visit("start")))
    at = fine(visit("compare", one=f"gone:{'k1' * 32}"))
    assert "of a study “gone”, which is not on this server" in text(at)
    ready.history.add("local", replace(RUN, key="k2", study="lost", request={}))
    assert "2 earlier runs are of “lost”, “gone”" in text(fine(visit("start")))
    opened = AppTest.from_function(_open, kwargs={"run": ready.history.find("local", "k2")}).run()
    assert "An earlier run is of “lost”, which no page here shows" in text(fine(opened))


def _open(run):
    from app.shell.margin import open_run

    open_run(run)


def test_a_study_of_a_package_that_cannot_be_read_is_told_of(ready, monkeypatch):
    broken = replace(ENTRIES["trace"], name="other", request="no_such_module:Request", examples="", own_page=None)
    monkeypatch.setitem(ENTRIES, "other", broken)
    for pages in (address.PAGES, margin.PAGES):
        monkeypatch.setitem(pages, "other", pages["trace"])
    key = "a" * 64
    assert "request of the study “other” cannot be read" in text(fine(visit("compare", one=f"other:{key}")))
    assert "request of the study “other” cannot be read" in text(fine(visit("models", study="other", result=key)))
    opened = AppTest.from_function(_open, kwargs={"run": replace(RUN, study="other")}).run()
    assert "request of the study “other” cannot be read" in text(fine(opened))
