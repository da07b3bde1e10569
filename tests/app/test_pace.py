"""What is drawn again by itself while a run goes on takes one small share of the time, however many look."""

from itertools import count

import pytest

from app.session import pace


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when they are told to."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pace, "_watched", {})
    return now


@pytest.mark.parametrize("people", [1, 4, 8, 16])
def test_however_many_look_drawing_takes_its_share(clock, people):
    costs = {f"page {one}": 0.05 for one in range(people)} | {f"margin {one}": 0.001 for one in range(people)}
    due, taken, number = dict.fromkeys(costs, 0.0), 0.0, count()
    while next(number) < 60 * people:
        name = min(due, key=due.__getitem__)
        clock[0] = max(clock[0], due[name])
        if clock[0] > 60:  # the first drawings knew of nobody else
            taken += costs[name] + pace.BESIDE
        due[name] = clock[0] + pace.pause(name, costs[name])
    assert taken / (clock[0] - 60) < 1.1 * pace.SHARE


def test_one_who_left_takes_no_part(clock):
    alone = pace.pause("me", 0.1)
    assert pace.pause("you", 0.1) == pytest.approx(2 * alone)
    clock[0] = 60.0
    assert pace.pause("me", 0.1) == alone


def test_the_end_of_a_run_is_not_waited_for_longer_than_it_takes(clock):
    assert pace.pause("me", 0.5, left=1.0) == 1.0
    assert pace.pause("me", 0.5, left=0.0) == pace.SHORTEST
    assert pace.pause("me", 100.0) == pace.LONGEST
