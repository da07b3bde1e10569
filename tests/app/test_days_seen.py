"""What is cleared away by age: days that were met, not what a clock says."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.session import days_seen
from app.session.days_seen import DAY, clear_away, touch

START = 20_000
DAYS = 30


@pytest.fixture
def on(monkeypatch, tmp_path) -> Callable[..., list[str]]:
    """A server that is used on a day, by its clock, in a process of its own or a later hour of the last; what is left
    after those who came have touched their files."""
    hours = [0.0]

    def use(day: float, *came: str, restarted: bool = True, later: float = 24) -> list[str]:
        hours[0] += later
        if restarted:
            days_seen._counted.clear()
        monkeypatch.setattr(days_seen.time, "time", lambda: day * DAY)
        monkeypatch.setattr(days_seen.time, "monotonic", lambda: hours[0] * 3600)
        monkeypatch.setattr(days_seen.os, "utime", lambda file, at=None: utime(file, at or (day * DAY, day * DAY)))
        clear_away(tmp_path, "*.json", DAYS)
        for name in came:
            (tmp_path / f"{name}.json").touch()
            touch(tmp_path / f"{name}.json")
        return sorted(file.stem for file in tmp_path.glob("*.json"))

    utime = os.utime
    return use


def test_what_nobody_came_back_for_goes_after_so_many_days(on):
    assert on(START, "ada", "bo") == ["ada", "bo"]
    for day in range(1, DAYS):
        assert on(START + day, "bo") == ["ada", "bo"]
    assert on(START + DAYS) == ["bo"]


def test_days_on_which_the_server_was_not_used_do_not_count(on):
    on(START, "ada")
    assert on(START + 400) == ["ada"]


@pytest.mark.parametrize("wrong", [0, START + 5000, START - 3000])
def test_a_clock_that_is_wrong_at_the_start_takes_nothing_away(on, wrong):
    on(START, "ada")
    for day in range(40):
        on(START + day, "bo")
    on(START + 41, "cy")
    assert on(wrong, "di") == ["bo", "cy", "di"]
    assert on(START + 42, "di", later=1) == ["bo", "cy", "di"]


def test_a_clock_that_jumps_while_it_runs_takes_nothing_away(on):
    for day in range(70):
        on(START + day, "bo")
    on(START + 70, "ada")
    for jump in range(1, 200):
        assert on(START + 70 + 100 * jump, restarted=False, later=0.05) == ["ada", "bo"]
    assert on(START + 30_000, "cy", restarted=False, later=0.05) == ["ada", "bo", "cy"]
    assert on(START + 71) == ["ada", "bo", "cy"]  # touched under a date that was never counted


@pytest.mark.parametrize("damage", [b"", b"null", b"[1.5]", b"[" * 100_000, b"\xff"])
def test_a_list_that_is_at_fault_takes_nothing_away(on, tmp_path: Path, damage):
    for day in range(DAYS):
        on(START + day, "ada" if day == 0 else "bo")
    (tmp_path / days_seen.LIST).write_bytes(damage)
    assert on(START + DAYS) == ["ada", "bo"]


def test_files_of_before_there_was_a_list_are_kept(on, tmp_path: Path):
    (tmp_path / "old.json").touch()
    os.utime(tmp_path / "old.json", (0, 0))
    assert on(START) == on(START + 1) == ["old"]


def test_a_folder_that_cannot_be_written_takes_nothing_away(on, tmp_path: Path):
    on(START, "ada")
    (tmp_path / days_seen.LIST).unlink()
    (tmp_path / days_seen.LIST).mkdir()
    assert on(START + 100) == ["ada"]
