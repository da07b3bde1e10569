"""What studies say of themselves: complete, in one place, and without cost until it is wanted."""

import subprocess
import sys
from importlib import import_module

import pytest

from analysis.units import is_number, numbers_of, units_of
from app.registry.studies import ENTRIES, STUDIES, entry_of
from tests.kit.places import ROOT


def test_that_studies_are_listed_costs_no_library():
    heavy = ("torch", "transformers", "plotly", "pandas", "streamlit", "pydantic", "numpy")
    code = f"import sys, app.registry.studies; sys.exit(' '.join(m for m in {heavy} if m in sys.modules) or None)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_server_reads_what_studies_name_before_the_first_visit_and_torch_after():
    code = (
        "import sys; from app.server import warm; warm(); "
        "sys.exit('torch' in sys.modules or 'app.studies.quiz.panels' not in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_an_entry_is_complete(entry):
    assert entry.question
    assert entry.does
    for field in entry.named():
        assert callable(entry.read(field)), field
    for command in entry.commands():
        assert callable(import_module(command.module).configure)
    assert all(field.description for field in entry.study.request.model_fields.values())
    assert entry.parts in ("", *ENTRIES)
    numbers = {name for name, field in entry.study.request.model_fields.items() if is_number(field.annotation)}
    assert set(units_of(entry.study.request)) == numbers, "a number has a unit, or says what it is"
    assert not [name for name, unit in numbers_of(entry.study.result) if not unit]
    assert not entry.own_page or entry.page
    assert set(entry.takers()) <= set(entry.study.request.model_fields)


def test_a_study_with_a_page_has_all_that_stands_on_it():
    """But for three that are read as text and table, and two whose commands say more than a summary."""
    paged = [entry for entry in ENTRIES.values() if entry.page]
    assert all(entry.rail for entry in paged)
    assert {entry.name for entry in paged if not entry.panels} == {"reach", "generate", "facts"}
    assert {entry.name for entry in paged if not entry.summary} == {"edit"}


def test_every_page_has_one_study_that_says_how_it_is_listed():
    own = [entry.page for entry in ENTRIES.values() if entry.own_page]
    assert len(own) == len(set(own))
    assert set(own) == {entry.page for entry in ENTRIES.values() if entry.page}


def test_what_is_no_result_has_no_entry():
    class TraceResult:
        """Named like one."""

    for thing in (TraceResult(), 3):
        with pytest.raises(TypeError, match="no result"):
            entry_of(thing)
    assert STUDIES["trace"] is STUDIES["trace"]
