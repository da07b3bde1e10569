"""One answer for all: what stands before it is the same where it is scored, shown and written."""

import pytest
import transformers
from transformers import AutoModelForCausalLM

from analysis import LensRequest, TraceRequest, logit_lens, trace
from analysis.errors import BadRequest
from analysis.model.language_model import LanguageModel
from analysis.moments.corpus import read_text
from analysis.text.framing import Prompted, read_otherwise
from editors import EditRequest, Rewrite
from editors.cases.case import behind
from editors.edit.probes import Probe
from editors.methods.search.token_rows import rows_of
from editors.scoring.probe_answers import Looking, ask
from editors.scoring.teacher_forced import measured
from tests.kit.families import build, word_tokenizer
from tests.kit.stub_tokenizers import tokenizer

QUOTE = 'The mother of {} is "'


@pytest.fixture(scope="module")
def bytes_model():
    reader = tokenizer("byte_level")
    config = transformers.GPT2Config(vocab_size=len(reader) + 3, n_embd=32, n_layer=2, n_head=4, n_positions=96)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model.config.architectures = ["GPT2LMHeadModel"]
    return LanguageModel(model, reader, name="tiny-bytes")


@pytest.mark.parametrize(("boundary", "begins"), [("auto", ""), ("none", ""), ("space", " ")])
def test_scored_shown_and_written_are_one(bytes_model, boundary, begins):
    lm = bytes_model
    fact = Rewrite(prompt=QUOTE, subject="Danielle", target="Paris")
    with lm.framed(Prompted(boundary=boundary)):
        (row,) = [row for row in rows_of(lm, [fact], ()) if row.bare]
        looking = Looking(lm, fact.text, "Paris", [])
        found = measured(lm, [Probe(0, "rewrite", fact.text, "Paris", "")])
        logs = lm.logits(lm.encode(fact.text).tensor(), 1)[0, -1].log_softmax(-1)
        assert ask(lm, [Probe(0, "rewrite", fact.text, "Paris", "")]).said[0] == looking.words[0]
    assert lm.tokenizer.decode(row.targets) == f"{begins}Paris"
    assert row.targets[0] in looking.ids
    assert found.summed[0, 0] <= float(logs[row.targets[0]]) + 1e-5
    lens = logit_lens(lm, LensRequest(prompt=fact.text, answer="Paris", boundary=boundary))
    assert lens.lens.answer_probability[-1, -1] == pytest.approx(float(logs[row.targets[0]].exp()), abs=1e-6)
    assert lens.answer.startswith("␣" if begins else lm.words(row.targets[:1])[0])
    traced = trace(lm, TraceRequest(prompt=fact.text, subject="Danielle", answer="Paris", boundary=boundary, samples=1))
    assert traced.answer_id == row.targets[0] and traced.answer == lens.answer


def test_a_space_typed_with_the_prompt_or_the_answer_is_written(bytes_model):
    lm = bytes_model
    for fact in (
        Rewrite(prompt=f"{QUOTE} ", subject="Danielle", target="Paris"),
        Rewrite(prompt=QUOTE, subject="Danielle", target=" Paris"),
    ):
        (row,) = [row for row in rows_of(lm, [fact], ()) if row.bare]
        assert lm.tokenizer.decode(row.targets) == " Paris"
        assert lm.tokenizer.decode(row.ids[: row.first + 1]) == QUOTE.replace("{}", "Danielle")
    assert Rewrite(prompt="{} is", subject="a", target=" Paris ").target == "Paris"


def test_sentences_close_their_quotes():
    fact = Rewrite(prompt=QUOTE, subject="Danielle", target="Paris")
    assert behind(fact, "Rome is") == 'The mother of Danielle is "Paris". Rome is'


def test_ids_the_model_has_not_are_refused_and_ids_the_tokenizer_has_not_are_named(bytes_model, tmp_path):
    lm = bytes_model
    assert lm.words([len(lm.tokenizer) + 1]) == [f"⟨id {len(lm.tokenizer) + 1}⟩"]
    reader = word_tokenizer()
    reader.add_tokens(["beyond"])
    small = LanguageModel(build("llama"), reader, name="tiny")
    for request in (
        {"prompt": "the beyond stands"},
        {"prompt": "the tower stands", "answer": "beyond"},
    ):
        with pytest.raises(BadRequest, match="“beyond”, which the tokenizer reads as id 64"):
            logit_lens(small, LensRequest(**request))
    (text := tmp_path / "text.txt").write_text("the tower stands\n\nthe beyond")
    with pytest.raises(BadRequest, match=r"“.*text\.txt” holds “beyond”"):
        read_text(small, str(text), 64)


def test_keys_stay_where_numbers_do_and_change_where_they_do_not():
    usual = LensRequest(prompt="The capital of France is", answer="Paris")
    assert not read_otherwise(usual.model_dump(mode="json"))
    assert usual.key("m") == super(Prompted, usual).key("m")
    for prompt in ('It is "', "首都是", "A:\n", "<s>It is", "The 😀 is", "Sa\u0303o is"):
        other = LensRequest(prompt=prompt)
        assert other.key("m") != super(Prompted, other).key("m")
    edit = EditRequest(facts=(Rewrite(prompt=QUOTE, subject="a", target="Paris"),))
    assert edit.key("m") != super(Prompted, edit).key("m")
