"""Long answers of the benchmark: as long as they are said to be, and what the edited model says of them by itself."""

import pytest

from analysis.errors import BadRequest
from analysis.facts.facts import another_object
from analysis.model.language_model import LanguageModel
from analysis.study import silent
from analysis.text.tokens import answer_tokens
from app.bench.editing import known
from app.bench.locality.long_answers import LENGTHS, long_fact, spoken
from editors.cases.case import case_of
from editors.edit.request import EditRequest
from editors.methods.run import write


@pytest.mark.real
def test_answers_have_their_length_and_are_said_word_for_word_or_not(smol: LanguageModel) -> None:
    (fact,) = known(smol, 1, silent)
    case = case_of(fact, another_object(fact))
    for length in (8, *LENGTHS):
        long = long_fact(smol, case, length)
        assert len(answer_tokens(smol.tokenizer, smol.encode(long.text), long.target)) == length
        assert long.target.startswith(case.rewrite.target)
    short = long_fact(smol, case, 8)
    edit = write(smol, EditRequest(facts=(short,), method="anyedit"), glance=False)
    right = spoken(smol, edit, short)
    assert right.shape == (8,)
    assert bool(right.all()) == bool(edit.after.new_greedy[0])
    with pytest.raises(BadRequest, match="4000 are asked for"):
        long_fact(smol, case, 4000)
