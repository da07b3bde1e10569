"""Turns: round robin by person, the short before the long within bounds, nothing starves. No clock anywhere."""

import random
from collections import Counter
from statistics import median

import pytest

from app.jobs.turns import PATIENCE, SHORT, Turn, Turns

LONG = 10 * SHORT


def served(turns: Turns, waiting: list[Turn]) -> list[Turn]:
    """All of them, one after another; the line says the order beforehand."""
    said, found, left = turns.line(waiting), [], list(waiting)
    while left:
        turn = turns.begin(left)
        left.remove(turn)
        found.append(turn)
    assert found == said
    return found


def people(order: list[Turn]) -> str:
    return "".join(turn.person for turn in order)


@pytest.mark.parametrize("seconds", [None, SHORT / 2, LONG])
def test_people_are_served_in_turn_whoever_asked_first(seconds):
    turns = Turns()
    waiting = [turns.enter(person, seconds) for person in "aaaabbbbcccc"]
    assert people(served(turns, waiting)) == "abc" * 4


@pytest.mark.parametrize("seed", range(20))
def test_n_people_with_m_runs_each_are_served_once_a_round(seed):
    chance, turns = random.Random(seed), Turns()
    count, runs = chance.randint(2, 8), chance.randint(1, 5)
    asked = [f"p{person}" for person in range(count) for _ in range(runs)]
    chance.shuffle(asked)
    order = [turn.person for turn in served(turns, [turns.enter(person, LONG) for person in asked])]
    for begin in range(0, len(order), count):
        assert len(set(order[begin : begin + count])) == count


def test_who_has_eight_runs_in_line_holds_a_newcomer_up_by_one():
    turns = Turns()
    waiting = [turns.enter("a", LONG) for _ in range(8)]
    waiting.remove(turns.begin(waiting))  # runs
    waiting.append(turns.enter("b", LONG))
    assert people(turns.line(waiting)) == "b" + "a" * 7


def test_one_who_asks_again_and_again_does_not_keep_another_waiting():
    turns, order = Turns(), []
    waiting = [turns.enter("a", SHORT / 2), turns.enter("b", LONG)]
    while "b" not in order:
        turn = turns.begin(waiting)
        waiting.remove(turn)
        order.append(turn.person)
        waiting.append(turns.enter("a", SHORT / 2))
        assert order.count("a") <= 1 + PATIENCE


def test_a_short_run_goes_first_but_not_for_ever():
    turns = Turns()
    waiting = [turns.enter("long", LONG), *(turns.enter(f"short{n}", SHORT) for n in range(10))]
    order = [turn.person for turn in served(turns, waiting)]
    assert order.index("long") == PATIENCE


@pytest.mark.parametrize("seed", range(10))
def test_nothing_starves_while_new_people_keep_coming(seed):
    """Whoever waits is served after at most one run of each who was there, and a few short ones."""
    chance, turns, waiting = random.Random(seed), Turns(), []
    ahead: Counter[int] = Counter()
    bound: dict[int, int] = {}
    for step in range(600):
        for _ in range(chance.choice((0, 1, 1, 2))):
            person = chance.choice(["a", "b", "c", f"new{step}"])
            if sum(turn.person == person for turn in waiting) == 0:
                turn = turns.enter(person, chance.choice((SHORT / 2, LONG, None)))
                waiting.append(turn)
                bound[turn.number] = 2 * len(waiting) + 2 * PATIENCE
        if waiting:
            begun = turns.begin(waiting)
            waiting.remove(begun)
            for other in waiting:
                ahead[other.number] += 1
                assert other.overtaken <= PATIENCE
            if not begun.short:
                assert ahead[begun.number] <= bound[begun.number]


def test_the_longest_wait_is_near_the_median_one():
    """Eight people with three runs each, asked by one after another: none ends much later than the others."""
    turns = Turns()
    waiting = [turns.enter(f"p{person}", LONG) for person in range(8) for _ in range(3)]
    order = served(turns, waiting)
    ended = [max(at for at, turn in enumerate(order) if turn.person == f"p{person}") for person in range(8)]
    assert max(ended) / median(ended) < 1.5


def test_leaving_the_line_costs_no_turn():
    turns = Turns()
    left = [turns.enter("a", LONG) for _ in range(5)]
    stays = turns.enter("a", LONG)
    while left:
        turn = left.pop(0)
        turns.leave(turn, [*left, stays])
    other = turns.enter("b", LONG)
    assert stays.round == other.round == 1
    assert turns.enter("a", LONG).round == 2


def test_a_run_that_two_wait_for_stands_where_the_first_of_them_would():
    turns = Turns()
    turns.enter("a", LONG)
    shared = turns.enter("a", LONG)
    assert shared.round == 2
    turns.share(shared, "b")
    assert shared.round == 1
    turns.hand_over(shared, "b")
    assert shared.person == "b"
    assert turns.enter("b", LONG).round == 2
