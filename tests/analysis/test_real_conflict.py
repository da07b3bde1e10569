"""Memory against page on the embedded model."""

import pytest

from analysis.internals.head_names import parse_head
from analysis.internals.key_value_memory import attention_matrix
from analysis.knowledge_conflict.result import HeadsRequest
from analysis.knowledge_conflict.run import heads_on_prompt
from analysis.text.tokens import answer_token
from editors.edit.apply import written_over
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

pytestmark = pytest.mark.real
PROMPT = "The capital of France is London. The capital of France is"


def test_silencing_memory_heads_gives_the_page_its_way_and_an_edit_does_the_same(smol):
    result = heads_on_prompt(smol, HeadsRequest(prompt=PROMPT, subject="France", context="London", most=3))
    assert result.memory == "Paris" and not result.notes
    memory, page = result.probability
    assert memory > page
    assert result.grid_probability[3, 0, 1] > result.grid_probability[3, 0, 0]
    assert result.grid_probability[0, 3, 0] > memory
    assert result.scores.agreement("attribution") > 0.9
    layer, _ = parse_head(result.memory_heads[0])
    assert layer >= 15
    heads = tuple(result.memory_heads[:3])
    fact = Rewrite(prompt="The capital of France is London. The capital of {} is", subject="France", target="London")
    edit = write(smol, EditRequest(facts=(fact,), method="prune", heads=heads))
    tokens = smol.encode(PROMPT)
    before = attention_matrix(smol, layer).parameter.detach().clone()
    with written_over(smol, [edit]):
        said = smol.next_word(tokens)
    assert (attention_matrix(smol, layer).parameter == before).all()
    for place, word in enumerate(("Paris", "London")):
        answer = answer_token(smol.tokenizer, tokens, word)
        assert float(said[answer]) == pytest.approx(float(result.grid_probability[3, 0, place]), abs=1e-5)
