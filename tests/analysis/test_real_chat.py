"""Studies in a chat, on the embedded model: all they ask is the conversation, and what they find holds there."""

from collections.abc import Callable

import numpy as np
import pytest

from analysis import (
    HeadsRequest,
    KnownRequest,
    LensRequest,
    NeuronsRequest,
    logit_lens,
)
from analysis.model.language_model import LanguageModel
from analysis.study import Request
from analysis.text.framing import Chat, Prompted
from analysis.text.tokens import answer_token, subject_range
from app.registry.studies import STUDIES
from editors.attention_drift.result import DriftRequest, PatchRequest
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.generation.result import GenerateRequest
from editors.methods.run import write
from tests.kit.chats import PLAIN_BY_RIGHT, asked_of

pytestmark = pytest.mark.real
CHAT = Chat(
    system="The Eiffel Tower is a tower. Go on with the sentence.", prefix="The Eiffel Tower is located in the city of"
)
BRIEF = Chat(system="Go on with the sentence of the user. Say nothing else.")
CAPITAL = Chat(prefix="The capital of this country is the city of")
PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "The Eiffel Tower"
TOWER = Rewrite(prompt="{} is located in the city of", subject=SUBJECT, target="Rome")
STUDIED: dict[str, Callable[[], Request]] = {
    "lens": lambda: LensRequest(prompt=PROMPT, chat=BRIEF),
    "neurons": lambda: NeuronsRequest(prompt=PROMPT, top=5, draws=1, mode="screened", chat=BRIEF),
    "facts": lambda: KnownRequest(relations=("capital",), chat=BRIEF),
    "heads": lambda: HeadsRequest(
        prompt="The capital of France is London. The capital of France is", subject="France", context="London", most=1,
        chat=BRIEF,
    ),
    "edit": lambda: EditRequest(facts=(TOWER,), contexts=1, steps=2, chat=CHAT),
    "drift": lambda: DriftRequest(prompt=PROMPT, subject=SUBJECT, grids=(), chat=BRIEF),
    "patch": lambda: PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("3.4",), chat=BRIEF),
    "generate": lambda: GenerateRequest(prompt=(PROMPT,), tokens=3, chat=BRIEF),
}  # fmt: skip


@pytest.fixture(scope="module")
def edit(smol: LanguageModel) -> Edit:
    return write(smol, EditRequest(facts=(TOWER,), chat=CHAT))


@pytest.mark.parametrize("study", list(STUDIED))
def test_all_a_study_asks_is_the_conversation(smol, edit, monkeypatch, study):
    put, beside = asked_of(smol, monkeypatch)
    one = STUDIES[study]
    request = STUDIED[study]()
    more = {"stack": [edit]} if study in ("drift", "patch", "drifts", "generate") else {}
    result = one.run(smol, request, **more)
    assert put == {request.chat}
    assert beside <= PLAIN_BY_RIGHT
    assert result.request.chat == request.chat


def test_what_is_read_in_a_chat_is_the_text_the_template_gives(smol):
    """Read through the lens, since a trace of so many words takes minutes; tiny models are traced in chats."""
    text = smol.tokenizer.apply_chat_template(
        [{"role": "system", "content": CHAT.system}, {"role": "user", "content": PROMPT}],
        tokenize=False, add_generation_prompt=True,
    ) + CHAT.prefix  # fmt: skip
    found = logit_lens(smol, LensRequest(prompt=PROMPT, chat=CHAT))
    plain = logit_lens(smol, LensRequest(prompt=text))
    assert found.tokens == plain.tokens
    assert found.answer == plain.answer == " Paris"
    assert np.array_equal(found.lens.top_probabilities, plain.lens.top_probabilities)
    with smol.framed(Prompted(chat=CHAT)):
        tokens = smol.encode(PROMPT)
    assert {found.roles[at] for at in range(*subject_range(tokens, SUBJECT))} == {"you"}


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
