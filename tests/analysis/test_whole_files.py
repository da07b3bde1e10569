"""Files that are whole or not there: whose drafts are cleared away, and whose are not, whatever the clock says."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis import whole_files
from analysis.whole_files import ENDING, LEFT_OVER_SECONDS, left_over, mark, replacing


@pytest.fixture
def gone() -> int:
    """A process that has ended."""
    return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))


def draft(place: Path, name: str, age: float = 0.0) -> Path:
    made = place.with_name(f".{place.name}{name}x{ENDING}")
    made.touch()
    os.utime(made, (time.time() - age, time.time() - age))
    return made


def test_what_a_killed_process_has_left_is_cleared_and_what_is_being_written_is_not(tmp_path, gone, monkeypatch):
    """A clock that jumps takes nothing away."""
    place, far = tmp_path / "a [file].json", 10 * LEFT_OVER_SECONDS
    living, dead = draft(place, mark(), far), draft(place, mark().replace(str(os.getpid()), str(gone)))
    elsewhere, long_ago = draft(place, "-0000aaaa.1-"), draft(place, "-0000aaaa.2-", far)
    of_another = draft(tmp_path / "a f.json", "-", far)
    with replacing(place) as new:
        monkeypatch.setattr(whole_files.time, "time", lambda: time.monotonic() + 1e12)
        assert not left_over(new)
        assert left_over(elsewhere)
        new.write_text("whole", encoding="utf-8")
    assert place.read_text(encoding="utf-8") == "whole"
    assert {one for one in (living, dead, elsewhere, long_ago, of_another) if one.exists()} == {
        living, elsewhere, of_another
    }  # fmt: skip
