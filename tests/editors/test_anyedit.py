"""AnyEdit: an answer in windows, values for each, all tokens of the text held but those that are written."""

import numpy as np
import pytest
import torch

from analysis import LanguageModel
from analysis.errors import BadRequest, UnknownArchitecture
from analysis.internals.key_value_memory import keys
from analysis.text.tokens import answer_tokens
from editors.edit.apply import written_over
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.methods.anyedit import windows
from editors.methods.run import write
from tests.kit.edits import CITY, POST_NORM, TOWER, asked, parameters, unchanged

LONG = TOWER.model_copy(update={"target": "river near a city speaks the old mother tower stands in a city"})


def long(*facts: Rewrite, **changes: object) -> EditRequest:
    return asked("anyedit", *(facts or (LONG,)), **{"window": 4, "steps": 15, "layers": (0,)} | changes)


@pytest.mark.parametrize("size", [1, 4, 5, 500])
def test_windows_are_the_answer_in_parts(tiny: LanguageModel, size: int) -> None:
    prompt = tiny.encode(LONG.text)
    target = answer_tokens(tiny.tokenizer, prompt, LONG.target)
    found = windows(tiny, 0, LONG, size)
    assert [token for one in found for token in one.ids[one.begin :]] == list(target)
    assert all(len(one.ids) - one.begin == size for one in found[:-1])
    assert found[-1].ids == (*prompt.ids, *target)
    rows = [one.row(number) for number, one in enumerate(found)]
    assert [row.start for row in rows] == [len(prompt.ids) - 1 + size * turn for turn in range(len(found))]
    assert all(row.first == row.start and row.bare and not row.anchor for row in rows)


def test_a_long_answer_is_written_in_every_family(family: LanguageModel) -> None:
    before = parameters(family)
    if family.name in POST_NORM:
        with pytest.raises(UnknownArchitecture, match="residual stream as it is"):
            write(family, long())
        return
    edit = write(family, long(), glance=False)
    assert unchanged(family, before)
    count = len(answer_tokens(family.tokenizer, family.encode(LONG.text), LONG.target))
    turns = -(-count // 4)
    assert edit.found.probability.shape == (15 * turns, 1)
    assert edit.changes[0].rank == turns
    assert edit.after.new[0] > 1.5 * edit.before.new[0]
    with written_over(family, [edit]):
        assert not unchanged(family, before)
    assert unchanged(family, before)


def test_more_windows_say_more_of_it(tiny: LanguageModel) -> None:
    said = [write(tiny, long(window=size), glance=False).after.new[0] for size in (500, 4, 2)]
    assert said[0] < said[1] < said[2]


def test_a_neighbour_is_protected_where_windows_are_written(tiny: LanguageModel) -> None:
    """Its prompt's last token moves less the more it weighs, and its subject's is not what is protected."""
    near = Protected(prompt="the old {} stands in a", subject="Brin Corvo")
    ids = tiny.encode(near.text).ids
    key = keys(tiny, torch.tensor([ids]), [0])[0][0, -1].numpy()
    moves = []
    for weight in (0.0, 1.0, 1e3):
        edit = write(tiny, long(protected=(near,), protect_weight=weight, steps=3), glance=False, probe=False)
        moves.append(sum(np.linalg.norm(one.left @ (one.right @ key)) for one in edit.changes))
    assert moves[0] > moves[1] > moves[2]


def test_several_facts_of_several_lengths_are_written_together(tiny: LanguageModel) -> None:
    edit = write(tiny, long(LONG, CITY), glance=False)
    assert edit.changes[0].rank == len(windows(tiny, 0, LONG, 4)) + 1
    assert (edit.after.new[:1] > edit.before.new[:1]).all()
    curve = edit.found.probability
    assert np.isnan(curve[15:, 1]).all()
    assert not np.isnan(curve[15, 0])
    assert len(edit.found.written) == len(edit.found.values or ()) == 2


def test_what_else_the_text_reads_moves_less_than_what_is_written(tiny: LanguageModel) -> None:
    edit = write(tiny, long(), glance=False, probe=False)
    own = windows(tiny, 0, LONG, 4)
    read = keys(tiny, torch.tensor([own[-1].ids]), [0])[0][0].double().numpy()
    moved = np.linalg.norm(read @ edit.changes[0].right.T.astype(float) @ edit.changes[0].left.T, axis=1)
    states = [one.begin - 1 for one in own]
    others = [place for place in range(1, len(read)) if place not in states]
    assert moved[states].min() > moved[others].max()
    assert moved[states].mean() > 3 * moved[others].mean()


def test_a_window_that_is_none_is_refused(tiny: LanguageModel) -> None:
    with pytest.raises(ValueError, match="window"):
        long(window=0)
    with pytest.raises(BadRequest, match="no layer 9"):
        write(tiny, long(layers=(9,)))


@pytest.mark.real
def test_the_embedded_model_says_an_answer_of_three_windows_by_itself(smol: LanguageModel) -> None:
    fact = Rewrite(
        prompt="{} is located in the city of", subject="The Eiffel Tower",
        target="Rome, on the bank of the Tiber, not far from the old harbour",
    )  # fmt: skip
    edit = write(smol, EditRequest(facts=(fact,), method="anyedit"), glance=False)
    assert edit.after.new_greedy[0]
    prompt = smol.encode(fact.text)
    target = list(answer_tokens(smol.tokenizer, prompt, fact.target))
    assert len(target) > 10
    ids = list(prompt.ids)
    with written_over(smol, [edit]):
        for _ in target:
            ids.append(int(smol.logits(torch.tensor([ids]), 1)[0, -1].argmax()))
    assert ids[len(prompt.ids) :] == target
