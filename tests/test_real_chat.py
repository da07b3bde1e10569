"""Every study in a chat, on the embedded model: all it asks is the conversation, and what it finds holds there."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

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
from analysis.chains import read_chains
from analysis.framing import Chat, Prompted
from analysis.model import LanguageModel
from analysis.study import Request
from analysis.tokens import answer_token
from app.studies import STUDIES
from editors.applying import written_over
from editors.case import own_cases
from editors.chain_cases import case_of_chain
from editors.drift_result import DriftRequest, DriftsRequest, PatchRequest
from editors.edit import Edit
from editors.evaluate_result import EvaluateRequest
from editors.generate_result import GenerateRequest
from editors.layers_result import LayersRequest
from editors.lifelong_result import LifelongRequest
from editors.quiz_result import QuizRequest
from editors.reach_result import ReachRequest
from editors.request import EditRequest, Rewrite
from editors.writing import write

pytestmark = pytest.mark.real
CHAT = Chat(
    system="The Eiffel Tower is a tower. Go on with the sentence.", prefix="The Eiffel Tower is located in the city of"
)
BRIEF = Chat(system="Go on with the sentence of the user. Say nothing else.")
CAPITAL = Chat(prefix="The capital of this country is the city of")
PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "The Eiffel Tower"
TOWER = Rewrite(prompt="{} is located in the city of", subject=SUBJECT, target="Rome")
CASES = tuple(own_cases(read_facts())[:1])
CHAIN = case_of_chain(read_chains()[0], "first")
PLAIN_BY_RIGHT = {"written", "contexts"}
"""What the model writes by itself, read as it stands in any conversation."""
STUDIED: dict[str, Callable[[], Request]] = {
    "trace": lambda: TraceRequest(prompt=PROMPT, subject=SUBJECT, kinds=("state",), samples=1, chat=CHAT),
    "average": lambda: AverageRequest(
        facts=2, relations=("capital",), at_least=0, kinds=("state",), samples=1,
        chat=CAPITAL,
    ),
    "lens": lambda: LensRequest(prompt=PROMPT, chat=BRIEF),
    "neurons": lambda: NeuronsRequest(prompt=PROMPT, top=5, draws=1, mode="screened", chat=BRIEF),
    "hops": lambda: HopsRequest(limit=1, chat=BRIEF),
    "facts": lambda: KnownRequest(relations=("capital",), chat=BRIEF),
    "heads": lambda: HeadsRequest(
        prompt="The capital of France is London. The capital of France is", subject="France", context="London", most=1,
        chat=BRIEF,
    ),
    "conflict": lambda: ConflictRequest(
        relations=("capital",), find=2, validation=1, test=1, at_least=0, ks=(1,), draws=1, chat=CAPITAL
    ),
    "transfer": lambda: TransferRequest(relations=("capital",), find=2, test=1, at_least=0, chat=CAPITAL),
    "knockout": lambda: KnockoutRequest(n=1, at_least=0, modules=False, chat=CAPITAL),
    "edit": lambda: EditRequest(facts=(TOWER,), contexts=1, steps=2, chat=CHAT),
    "drift": lambda: DriftRequest(prompt=PROMPT, subject=SUBJECT, grids=(), chat=BRIEF),
    "patch": lambda: PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("3.4",), chat=BRIEF),
    "drifts": lambda: DriftsRequest(chat=BRIEF),
    "layers": lambda: LayersRequest(facts=(TOWER,), layers=(6,), method="rome", samples=1, chat=BRIEF),
    "generate": lambda: GenerateRequest(prompt=(PROMPT,), tokens=3, chat=BRIEF),
    "evaluate": lambda: EvaluateRequest(cases=CASES, methods=("ft",), words=2, fluency=True, chat=BRIEF),
    "quiz": lambda: QuizRequest(cases=CASES, methods=("ft",), words=2, turns=1, chat=BRIEF),
    "lifelong": lambda: LifelongRequest(cases=CASES, method="ft", words=2, chat=BRIEF),
    "reach": lambda: ReachRequest(cases=(CHAIN,), methods=("ft",), words=2, chat=BRIEF),
}  # fmt: skip


@pytest.fixture(scope="module")
def edit(smol: LanguageModel) -> Edit:
    return write(smol, EditRequest(facts=(TOWER,), chat=CHAT))


@pytest.mark.parametrize("study", list(STUDIED))
def test_all_a_study_asks_is_the_conversation(smol, edit, monkeypatch, study):
    put: list[Chat] = []
    beside: set[str] = set()
    plain, talk = smol.encode_plain, smol.encode_talk

    def spied_plain(text: str) -> Any:
        frame = sys._getframe(1)
        while frame.f_code.co_name.startswith("<"):
            frame = frame.f_back
        beside.add(frame.f_code.co_name)
        return plain(text)

    def spied_talk(said: Any, chat: Chat) -> Any:
        put.append(chat)
        return talk(said, chat)

    monkeypatch.setattr(smol, "encode_plain", spied_plain)
    monkeypatch.setattr(smol, "encode_talk", spied_talk)
    one = STUDIES[study]
    request = STUDIED[study]()
    more = {"stack": [edit]} if study in ("drift", "patch", "drifts", "generate") else {}
    result = one.run(smol, request, **more)
    assert set(put) == {request.chat}
    assert beside <= PLAIN_BY_RIGHT
    assert result.request.chat == request.chat


def test_a_trace_in_a_chat_is_the_trace_of_the_text_the_template_gives(smol):
    text = smol.tokenizer.apply_chat_template(
        [{"role": "system", "content": CHAT.system}, {"role": "user", "content": PROMPT}],
        tokenize=False, add_generation_prompt=True,
    ) + CHAT.prefix  # fmt: skip
    fields: dict[str, Any] = {"subject": SUBJECT, "kinds": ("state", "mlp"), "samples": 2}
    found = trace(smol, TraceRequest(prompt=PROMPT, chat=CHAT, **fields))
    plain = trace(smol, TraceRequest(prompt=text, occurrence=1, **fields))
    assert found.tokens == plain.tokens
    assert found.subject == plain.subject
    assert found.answer == plain.answer == " Paris"
    for kind in fields["kinds"]:
        assert np.array_equal(found.grids[kind].probability, plain.grids[kind].probability)
    assert {found.roles[at] for at in range(*found.subject)} == {"you"}


def test_an_edit_in_a_chat_holds_in_it(smol, edit):
    with smol.framed(Prompted(chat=CHAT)):
        tokens = smol.encode(PROMPT)
        rome = answer_token(smol.tokenizer, tokens, "Rome")
        assert float(smol.next_word(tokens)[rome]) < 0.1
        with written_over(smol, [edit]):
            said = smol.next_word(tokens)
    assert int(said.argmax()) == rome
    assert float(said[rome]) > 0.8
    assert edit.glance is not None
    assert edit.glance.texts[0][2].strip().startswith("Rome")


def test_an_answer_stands_right_behind_the_models_mark(smol):
    """No space is put where the template puts none; behind a beginning of the answer there is one."""
    found = logit_lens(smol, LensRequest(prompt="What is the capital of France?", answer="Paris", chat=BRIEF))
    assert found.answer == "Paris"
    begun = logit_lens(
        smol, LensRequest(prompt="What is the capital of France?", chat=Chat(prefix="The capital of France is"))
    )
    assert begun.answer == " Paris"
