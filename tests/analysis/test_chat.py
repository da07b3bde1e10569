"""Prompts in a conversation: the template's own text, the person's part of it, and what stays outside."""

import pytest
import torch

from analysis import (
    AverageRequest,
    ConflictRequest,
    HeadsRequest,
    HopsRequest,
    KnockoutRequest,
    KnownRequest,
    LensRequest,
    NeuronsRequest,
    TraceRequest,
    TransferRequest,
    logit_lens,
    read_facts,
    trace,
)
from analysis.errors import BadRequest, SubjectNotFound
from analysis.facts.chains import read_chains
from analysis.moments.corpus import written
from analysis.neuron_attribution.token_attribution import baseline, token_parts
from analysis.text.chat import in_chat, knows_thinking, turn_ends
from analysis.text.framing import PLAIN, Chat, Prompted
from analysis.text.tokens import answer_token, encode, find_own, subject_range
from editors.ability_tests.result import AbilitiesRequest
from editors.attention_drift.result import DriftRequest, DriftsRequest, PatchRequest
from editors.cases.case import own_cases
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.result import ReachRequest
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.result import EvaluateRequest
from editors.generation.result import GenerateRequest
from editors.layer_sweep.result import LayersRequest
from editors.lifelong_editing.result import LifelongRequest
from editors.methods.search.token_rows import contexts, placed
from editors.quizzes.result import QuizRequest
from tests.kit.chats import BOS, CHATML, MERGING, STRICT, TALKATIVE, THINKING, templated
from tests.kit.families import FAMILIES, language_model
from tests.kit.traces import PROMPT, SUBJECT, asked, far, same

P = "The Eiffel Tower is located in the city of"
TOWER = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
CASES = own_cases(read_facts()[:1])
CHAIN = case_of_chain(read_chains()[0], "first")
KEYS = {
    "d9972a5a36d7c57e1a5c5c19": TraceRequest(prompt=P, subject="The Eiffel Tower"),
    "9daa455d7e11e2892e734c5a": AverageRequest(),
    "4d171d5d02e12f7f527500e6": LensRequest(prompt=P),
    "4e4283404b682984d1569359": NeuronsRequest(prompt=P),
    "e9ec19e02b6df01038b87479": HopsRequest(),
    "4fcb838f3458098abb99521a": KnownRequest(),
    "77cbd2837b2b9100337f8fe1": HeadsRequest(
        prompt="The capital of France is London. The capital of France is", subject="France", context="London"
    ),
    "ee1adffc46310ea469babb0c": ConflictRequest(),
    "d3c27516875b921005c132d2": TransferRequest(),
    "1c8287944cb9a914057259c4": KnockoutRequest(),
    "0702dca80f8defa30e0c12f6": EditRequest(facts=(TOWER,)),
    "beced891ca0c5fabc60e97d9": DriftRequest(prompt=P, subject="The Eiffel Tower"),
    "8ef278e6b901b3024c4d3ac1": PatchRequest(prompt=P, subject="The Eiffel Tower", heads=("3.4",)),
    "72d08afce56beec6fb4848c8": DriftsRequest(),
    "ff44af0ec7abef588344a093": EvaluateRequest(cases=CASES),
    "a5863e241e40401e8f35b23e": QuizRequest(cases=CASES),
    "0a821641128875a52c288b4d": LifelongRequest(cases=CASES),
    "87421ffbe2a4ceb116f51e81": ReachRequest(cases=(CHAIN,)),  # with PMET, whose numbers have changed
    "3c56473e0abe66fcc2b2b993": LayersRequest(facts=(TOWER,)),
    "370f53621c3418e55daa76ff": GenerateRequest(prompt=(P,)),
    "4be18296889f76e27b39c4f7": AbilitiesRequest(),
}
"""What results without a chat were stored under before there was one."""
IDS = [type(request).__name__ for request in KEYS.values()]


@pytest.mark.parametrize(("key", "request_"), KEYS.items(), ids=IDS)
def test_without_a_chat_results_stay_where_they_are(key, request_):
    assert request_.key("model") == key
    assert isinstance(request_, Prompted)
    assert "chat" not in request_.model_dump()
    in_one = request_.model_copy(update={"chat": Chat(system="Be brief.")})
    assert in_one.key("model") != key
    assert type(request_).model_validate(in_one.model_dump(mode="json")) == in_one


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_trace_in_a_chat_is_the_trace_of_the_text_the_template_gives(family):
    lm = language_model(family)
    templated(lm.tokenizer, CHATML)
    text = lm.tokenizer.apply_chat_template(
        [{"role": "system", "content": "plays near"}, {"role": "user", "content": PROMPT}],
        tokenize=False, add_generation_prompt=True,
    ) + "the city"  # fmt: skip
    chat = Chat(system="plays near", prefix="the city")
    plain = trace(lm, asked(prompt=text))
    found = trace(lm, asked(chat=chat))
    assert found.tokens == plain.tokens
    assert found.subject == plain.subject
    assert same(found, plain)
    assert found.roles == [
        "template", "system", "system", "template", "template", *["you"] * 8, "template", "template", "model", "model",
    ]  # fmt: skip
    assert plain.roles == []
    assert lm.framing == PLAIN


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_a_subject_is_looked_for_in_the_persons_words_alone(family):
    lm = language_model(family)
    templated(lm.tokenizer, CHATML)
    chat = Chat(system="the tower of Aldra stands", prefix="the tower of Aldra")
    with lm.framed(Prompted(chat=chat)):
        tokens = lm.encode(PROMPT)
        begin, end = subject_range(tokens, SUBJECT)
    assert tokens.labels[begin:end] == tuple(SUBJECT.split())
    assert set(tokens.roles[begin:end]) == {"you"}
    assert tokens.prompt == PROMPT
    with pytest.raises(SubjectNotFound):
        find_own(tokens, "stands tower")
    with pytest.raises(SubjectNotFound):
        subject_range(in_chat(lm.tokenizer, ["mother wrote"], chat), SUBJECT)
    assert tokens.text[slice(*find_own(tokens, "Tower OF", folded=True))] == "tower of"


def test_a_prompt_behind_a_text_knows_its_subject_in_a_chat_too(tiny_chat):
    lm = tiny_chat
    fact = Rewrite(prompt=" near {} mother stands in", subject=SUBJECT, target="river")
    for prefix in ("", "w20 w21. "):
        with lm.framed(Prompted(chat=Chat(system="the tower of Aldra"))):
            tokens, last = placed(lm, prefix, fact)
        assert tokens.labels[last - 2 : last + 1] == tuple(SUBJECT.split())
        assert set(tokens.roles[last - 2 : last + 1]) == {"you"}
    question = Rewrite(prompt="{}", subject=PROMPT, target="river")
    with lm.framed(Prompted(chat=Chat(prefix="the city"))):
        tokens, last = placed(lm, "", question)
    assert last == len(tokens) - 1


def test_what_the_model_writes_by_itself_is_no_conversation(tiny_chat, tmp_path, monkeypatch):
    lm = tiny_chat
    request = EditRequest(facts=(Rewrite(prompt="near {} stands in", subject=SUBJECT, target="river"),), contexts=3)
    plain = contexts(lm, request), written(lm, 64, 1, tmp_path / "plain")
    lm.memo.clear()
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "other"))  # so that they are written anew
    with lm.framed(Prompted(chat=Chat(system="the tower"))):
        assert contexts(lm, request) == plain[0]
        assert written(lm, 64, 1, tmp_path / "chat").pieces == plain[1].pieces


def test_an_answer_follows_as_the_template_lets_it():
    """Behind a line's end no space is put; behind a beginning of the answer one is."""
    tokenizer = templated(language_model("llama").tokenizer, CHATML)
    assert in_chat(tokenizer, [PROMPT], Chat()).boundary == "none"
    assert in_chat(tokenizer, [PROMPT], Chat(prefix="the city is")).boundary == "auto"
    assert in_chat(templated(tokenizer, TALKATIVE), [PROMPT], Chat()).boundary == "space"
    assert in_chat(tokenizer, [PROMPT], Chat(prefix="the")).text.endswith("[/ask] the")
    tokens = in_chat(tokenizer, [PROMPT], Chat())
    assert answer_token(tokenizer, tokens, "river") == tokenizer("river")["input_ids"][0]


def test_a_model_without_a_template_refuses():
    lm = language_model("llama")
    with pytest.raises(BadRequest, match=r"tiny-llama has no chat template. Switch chat off, or"):
        logit_lens(lm, LensRequest(prompt=PROMPT, chat=Chat()))


def test_a_template_that_takes_no_system_text_says_so(tiny_chat):
    tokenizer = templated(tiny_chat.tokenizer, STRICT)
    assert in_chat(tokenizer, [PROMPT], Chat()).prompt == PROMPT
    with pytest.raises(BadRequest, match=r"takes no system text .*System role not supported"):
        in_chat(tokenizer, [PROMPT], Chat(system="plays"))
    with pytest.raises(BadRequest, match="leaves the system text out"):
        in_chat(templated(tokenizer, TALKATIVE), [PROMPT], Chat(system="plays"))


def test_a_system_text_that_the_template_puts_into_the_persons_turn_is_not_the_persons(tiny_chat):
    tokens = in_chat(templated(tiny_chat.tokenizer, MERGING), [PROMPT], Chat(system="the tower of Aldra"))
    begin, end = subject_range(tokens, SUBJECT)
    assert set(tokens.roles[begin:end]) == {"you"}
    assert tokens.roles.count("system") == 4


def test_roles_must_alternate_and_do(tiny_chat):
    tokens = in_chat(templated(tiny_chat.tokenizer, STRICT), ["mother wrote", "river", PROMPT], Chat())
    assert tokens.prompt == PROMPT
    assert tokens.text.startswith("[user] mother wrote")


def test_the_default_system_text_of_a_template_is_told_from_its_marks(tiny_chat):
    tokens = in_chat(templated(tiny_chat.tokenizer, CHATML), [PROMPT], Chat())
    assert [label for label, role in zip(tokens.labels, tokens.roles, strict=True) if role == "system"] == ["speaks"]


def test_a_beginning_of_text_stands_once_whoever_brings_it():
    tokenizer = templated(language_model("llama").tokenizer, BOS)
    from tokenizers.processors import TemplateProcessing

    own = in_chat(tokenizer, [PROMPT], Chat())
    tokenizer._tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokens = in_chat(tokenizer, [PROMPT], Chat())
    assert tokens.ids == own.ids
    assert tokens.prompt == PROMPT
    assert tokens.roles[0] == "template"


@pytest.mark.parametrize("held", ["<s>", "[end]", "[model]"])
@pytest.mark.parametrize("where", ["prompt", "system", "prefix"])
def test_nobody_steps_out_of_their_turn(tiny_chat, held, where):
    tokenizer = templated(tiny_chat.tokenizer, CHATML)
    said = {"prompt": PROMPT, "system": "plays", "prefix": "the"} | {where: f"near {held} the"}
    with pytest.raises(BadRequest, match=r"holds “.*”, a mark of This model’s chat template"):
        in_chat(tokenizer, [said.pop("prompt")], Chat(**said))


def test_thinking_is_switched_where_the_template_knows_how(tiny_chat):
    tokenizer = templated(tiny_chat.tokenizer, CHATML)
    assert not knows_thinking(tokenizer)
    with pytest.raises(BadRequest, match="knows no switch for thinking"):
        in_chat(tokenizer, [PROMPT], Chat(thinking=True))
    templated(tokenizer, THINKING)
    assert knows_thinking(tokenizer)
    assert in_chat(tokenizer, [PROMPT], Chat(thinking=True)).text.endswith("[model] <think>\n")
    off = in_chat(tokenizer, [PROMPT], Chat(thinking=False))
    assert off.text.endswith("<think>\n\n</think>\n\n")
    assert off.roles[-2:] == ("thinking", "thinking")
    with pytest.raises(BadRequest, match="leave this prompt as it stands"):
        in_chat(tokenizer, ["river wrote loud"], Chat())


def test_the_day_is_the_same_for_ever(tiny_chat):
    template = "{{ strftime_now('%d %b %Y') }} " + CHATML
    assert in_chat(templated(tiny_chat.tokenizer, template), [PROMPT], Chat()).text.startswith("26 Jul 2024")


def test_the_models_turn_ends_with_the_templates_mark(tiny_chat):
    assert turn_ends(templated(tiny_chat.tokenizer, BOS)) == {0}
    assert turn_ends(templated(tiny_chat.tokenizer, CHATML)) == set()


def test_what_a_word_adds_is_asked_of_the_persons_words_alone(tiny_chat):
    lm = tiny_chat
    templated(lm.tokenizer, CHATML)
    with lm.framed(Prompted(chat=Chat(system="plays"))):
        tokens = lm.encode(PROMPT)
    (ablated, integrated), gained = token_parts(lm, tokens, 5, nodes=400)
    other = [role != "you" for role in tokens.roles]
    assert not ablated[other].any()
    assert not integrated[other].any()
    assert float(integrated.sum()) == pytest.approx(gained, abs=5e-3)
    changed = baseline(lm, tokens)[0] != tokens.tensor()[0]
    assert changed.tolist() == [not one for one in other]


@pytest.fixture
def tiny_chat():
    lm = language_model("llama")
    templated(lm.tokenizer, CHATML)
    return lm


def test_a_text_as_it_stands_is_read_so_in_any_conversation(tiny_chat):
    with tiny_chat.framed(Prompted(chat=Chat())):
        assert tiny_chat.encode_plain(PROMPT) == encode(tiny_chat.tokenizer, PROMPT, rows=tiny_chat.n_ids)
        assert far(tiny_chat.next_word(tiny_chat.encode_plain(PROMPT)), torch.zeros(1)) > 0
