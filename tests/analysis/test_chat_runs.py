"""Runs in a chat on tiny models: texts they write, thoughts, edits by every method, what is remembered, flags."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import pytest
import torch

from analysis import NeuronsRequest, TraceRequest, read_facts
from analysis.errors import BadRequest
from analysis.facts.chains import read_chains
from analysis.forward.generation import continued, speech, texts_after
from analysis.model.language_model import LanguageModel
from analysis.study import Request
from analysis.text.framing import Chat, Prompted
from analysis.text.thinking import answer_in, bare, left_open, parts
from app.exports.edit_notebook import edit_notebook
from app.registry.studies import STUDIES
from app.sweeps.plan import planned
from app.terminal.request_flags import add_fields, fields_of
from editors.ability_tests.result import AbilitiesRequest
from editors.cases.case import Case, own_cases
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.result import ReachRequest
from editors.edit.apply import written_over
from editors.edit.probes import Probe
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.result import EvaluateRequest
from editors.layer_sweep.result import LayersRequest
from editors.lifelong_editing import run as lifelong_editing
from editors.lifelong_editing.result import LifelongRequest
from editors.methods.ace import layer_scores
from editors.methods.past_keys import PastKeys
from editors.methods.run import write
from editors.quizzes.result import QuizRequest
from editors.quizzes.run import replies
from editors.recipes.recipe import read_recipe, write_recipe
from editors.registry.methods import MethodName
from editors.scoring.fluency import texts_about
from editors.scoring.free_answers import first_line, line_over
from tests.kit.chats import BOS, CHATML, PLAIN_BY_RIGHT, asked_of, templated
from tests.kit.families import language_model
from tests.kit.traces import PROMPT, SUBJECT

CHAT = Chat(system="plays near")
FACT = Rewrite(prompt="near the {} mother stands in", subject=SUBJECT, target="river", two_hop="the river of Aldra is")
CASE = Case((FACT,), ("city",), (Probe(0, "rewrite", FACT.text, "river", "city"),), (), "one")
SHORT: dict[str, Any] = {"contexts": 1, "context_tokens": 3, "steps": 3, "tokens": 128}


@pytest.fixture
def lm() -> LanguageModel:
    made = language_model("llama")
    templated(made.tokenizer, CHATML)
    return made


def asked_in(lm: LanguageModel, prompt: str, chat: Chat = CHAT) -> torch.Tensor:
    with lm.framed(Prompted(chat=chat)):
        return lm.next_word(lm.encode(prompt))


METHODS: tuple[MethodName, ...] = ("rome", "memit", "emmet", "alphaedit", "pmet", "ace", "ifmet", "ft")


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_in_a_chat_is_searched_and_read_there(lm, method):
    """The search begins at what the conversation is answered with, as do the probes before and after."""
    request = EditRequest(facts=(FACT,), method=method, chat=CHAT, **SHORT | {"contexts": 0})
    before = float(asked_in(lm, FACT.text)[lm.tokenizer("river")["input_ids"][0]])
    edit = write(lm, request)
    assert float(edit.before.new[0]) == pytest.approx(before, rel=1e-4)
    with written_over(lm, [edit]):
        after = float(asked_in(lm, FACT.text)[lm.tokenizer("river")["input_ids"][0]])
    assert float(edit.after.new[0]) == pytest.approx(after, rel=1e-4)
    assert after != before
    assert float(edit.found.probability[0, 0]) == pytest.approx(before, rel=1e-4)
    assert edit.request.chat == CHAT


def test_a_recipe_keeps_its_conversation_and_so_does_its_notebook(lm, tmp_path):
    edit = write(lm, EditRequest(facts=(FACT,), method="ft", chat=CHAT, **SHORT))
    write_recipe(edit, tmp_path / "one.json")
    assert read_recipe(tmp_path / "one.json").request.chat == CHAT
    code = edit_notebook(edit)
    assert 'chat={\\"system\\": \\"plays near\\"}' in code
    assert "with lm.framed(request)" in code


def test_layers_scored_in_a_conversation_are_not_taken_for_those_without(lm):
    plain = layer_scores(lm, FACT)
    with lm.framed(Prompted(chat=CHAT)):
        talking = layer_scores(lm, FACT)
    assert (plain.gained != talking.gained).any()
    assert layer_scores(lm, FACT) is plain


def test_keys_of_an_earlier_edit_are_those_of_its_own_conversation(lm):
    first = write(lm, EditRequest(facts=(FACT,), method="memit", layers=(1,), chat=CHAT, **SHORT), glance=False)
    request = EditRequest(facts=(FACT,), method="alphaedit", layers=(1,), **SHORT)

    def keys(chat: Chat | None) -> torch.Tensor:
        lm.memo.clear()
        past = PastKeys(lm, request, [first])
        with lm.framed(Prompted(chat=chat)), written_over(lm, [first]):
            past.read(first)
        return past.moment(1)

    assert torch.equal(keys(None), keys(Chat(system="the old city")))


def test_a_text_goes_on_from_the_answer(lm):
    with lm.framed(Prompted(chat=CHAT)):
        ids = lm.encode(PROMPT).ids
        whole = list(continued(lm, PROMPT, 4))[-1]
        assert texts_after(lm, [PROMPT], 4) == [whole]
    with torch.no_grad():
        first = int(lm.logits(torch.tensor([ids]), 1)[0, -1].argmax())
    assert whole.split()[0] == lm.tokenizer.decode([first])


def test_the_templates_mark_ends_a_text(lm):
    templated(lm.tokenizer, BOS)
    with lm.framed(Prompted(chat=Chat())):
        _, ends = speech(lm, lm.encode(PROMPT))
    assert 0 in ends


def test_a_talk_is_put_as_the_request_says(lm):
    """The plain quiz is in the model's own template; a chat of one's own changes what is said before."""
    with lm.framed(Prompted(chat=Chat())):
        assert replies(lm, [[PROMPT]], 3) == [first_line(texts_after(lm, [PROMPT], 3)[0])]
    plain = replies(lm, [[PROMPT], [PROMPT, "river", "the city"]], 3)
    with lm.framed(Prompted(chat=Chat())):
        assert replies(lm, [[PROMPT], [PROMPT, "river", "the city"]], 3) == plain


def test_texts_about_a_subject_are_prompt_and_answer(lm):
    with lm.framed(Prompted(chat=CHAT)):
        (text,) = texts_about(lm, [PROMPT])
    assert text.startswith(f"{PROMPT}\n")
    assert "[model]" not in text


THOUGHT = "<think>\nmother wrote\n</think>\n\nthe river"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (THOUGHT, "\n\nthe river"),
        ("mother wrote\n</think>the river", "the river"),
        ("<think>mother", ""),
        ("the river", "the river"),
        ("[THINK]a[/THINK]b[THINK]c[/THINK]d", "bd"),
        ("<|START_THINKING|>a<|END_THINKING|>b", "b"),
        ("", ""),
    ],
)
def test_an_answer_is_what_is_said_outside_of_thoughts(text, answer):
    assert answer_in(text) == answer
    assert "".join(text[part.begin : part.end] for part in parts(text)) == text


def test_a_thought_left_open_is_named():
    assert left_open("[model]\n<think>\n") == "<think>"
    assert left_open("<think>\n\n</think>\n\n") == ""
    assert left_open("[model]\n") == ""
    assert bare("<think>\nmother wrote\n</think>") == "mother wrote"


def test_a_line_is_not_over_while_it_thinks():
    assert not line_over("<think>\nmother\nwrote\n")
    assert line_over(f"{THOUGHT}\nand")
    assert first_line(f"{THOUGHT}\nand") == "the river"
    assert first_line("<think>\nmother") == ""


def test_a_text_that_begins_in_a_thought_says_so(lm):
    templated(lm.tokenizer, CHATML + "{% if add_generation_prompt %}<think>\n{% endif %}")
    with lm.framed(Prompted(chat=Chat())):
        text, _ = speech(lm, lm.encode(PROMPT))
    assert text(lm.tokenizer("river")["input_ids"]) == "<think>river"
    assert parts("<think>river")[0].thought


def test_marks_that_reading_leaves_out_are_kept(lm):
    lm.tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    opened, closed = lm.tokenizer.convert_tokens_to_ids(["[THINK]", "[/THINK]"])
    text, _ = speech(lm, lm.encode(PROMPT))
    assert (
        text([opened, 4, closed, 8]).replace(" ", "")
        == f"[THINK]{lm.tokenizer.decode([4])}[/THINK]{lm.tokenizer.decode([8])}"
    )


def test_flags_of_a_conversation():
    def said(*words: str) -> Any:
        parser = ArgumentParser()
        add_fields(parser, TraceRequest)
        return fields_of(parser.parse_args(["--prompt", PROMPT, "--subject", SUBJECT, *words]), TraceRequest).chat

    assert said() is None
    assert said("--chat") == Chat()
    assert said("--chat-system", "Be brief.", "--no-chat-thinking") == Chat(system="Be brief.", thinking=False)
    assert said("--chat", "--chat-prefix", "The city, or", "--chat-thinking") == Chat(
        prefix="The city, or", thinking=True
    )


def test_a_sweep_in_a_conversation():
    units, _ = planned(STUDIES["trace"], [CASE], {"chat": {"system": "plays near"}}, ["noise=1,3"])
    assert [unit.request.chat for unit in units] == [CHAT, CHAT]
    with pytest.raises(BadRequest, match=r"--vary is .chat=1."):
        planned(STUDIES["neurons"], [CASE], {}, ["chat=1"])
    assert "chat" not in NeuronsRequest(prompt=PROMPT).given()


OWN = tuple(own_cases(read_facts())[:1])
MANY: dict[str, Callable[[], Request]] = {
    "layers": lambda: LayersRequest(facts=(FACT,), layers=(1,), method="ft", samples=1, chat=CHAT),
    "evaluate": lambda: EvaluateRequest(cases=OWN, methods=("ft",), words=2, fluency=True, chat=CHAT),
    "quiz": lambda: QuizRequest(cases=OWN, methods=("ft",), words=2, turns=1, chat=CHAT),
    "lifelong": lambda: LifelongRequest(cases=OWN, method="ft", words=2, chat=CHAT),
    "reach": lambda: ReachRequest(
        cases=(case_of_chain(read_chains()[0], "first"),), methods=("ft",), words=2, thoughts=True, chat=CHAT
    ),
    "abilities": lambda: AbilitiesRequest(chat=CHAT),
}


@pytest.mark.parametrize("study", list(MANY))
def test_all_that_comparisons_ask_is_the_conversation(lm, monkeypatch, study):
    """Down to the edits, traces and questions they are made of."""
    monkeypatch.setattr(lifelong_editing, "TEXT_TOKENS", 128)
    lm.config.max_position_embeddings = 4096  # worked examples are long
    put, beside = asked_of(lm, monkeypatch)
    result = STUDIES[study].run(lm, MANY[study]())
    assert put == {CHAT}
    assert beside <= PLAIN_BY_RIGHT
    assert not getattr(result, "faults", [])
    assert result.request.chat == CHAT
