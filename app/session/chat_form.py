"""“As a chat”: the part of every form that puts its prompts into a conversation, in the model's own template.

What stands under `<page>.chat` is what links, examples and requests say; the widgets are filled from it whenever it
was changed by one of these, and it is written from them whenever somebody touches them.
"""

from typing import Any

import streamlit as st

from analysis.text.chat import has_template, in_chat, knows_thinking
from analysis.text.framing import Chat
from analysis.text.tokens import Tokens, encode
from app.jobs.services import services
from app.session.fields import field, slot, spec

THINKING: dict[str, bool | None] = {"as the template has it": None, "on": True, "off": False}
NO_TEMPLATE = "This model has no chat template: it was not made for conversations."
HELP = (
    "Prompts become your turn in a conversation, in the model’s own template. What is asked is what it says first in "
    "its answer; subjects are looked for in your words alone."
)


def draw(page: str) -> None:
    """The switch and, where it is on, what else the conversation holds."""
    _fill(page)
    tokenizer = services().models.tokenizers.get(spec())
    without = tokenizer is not None and not has_template(tokenizer)
    on = st.toggle(
        "As a chat",
        **field(page, "chat_on"),
        disabled=without and not st.session_state[slot(page, "chat_on")],
        help=NO_TEMPLATE if without else HELP,
    )
    if on:
        with st.popover("Conversation", icon=":material/forum:"):
            _more(page, tokenizer)
    st.session_state[slot(page, "chat")] = st.session_state[f"{page}.chat_said"] = _held(page)


def value(page: str) -> dict[str, Any] | None:
    """The conversation the form says, as a request's field; None for prompts as they stand."""
    _fill(page)
    return _held(page)


def read(prompt: str, chat: Chat | dict[str, Any] | None) -> Tokens | None:
    """A prompt as the model reads it; None while the model is being loaded or the prompt is empty.

    `BadRequest` where the template cannot put it.
    """
    tokenizer = services().models.tokenizers.get(spec())
    if tokenizer is None or not prompt.strip():
        return None
    return encode(tokenizer, prompt) if chat is None else in_chat(tokenizer, [prompt], Chat.model_validate(chat))


def words(chat: Chat | None) -> str:
    """How a prompt was put, in a few words for a caption; empty for one as it stands."""
    if chat is None:
        return ""
    parts = [f"told before: “{chat.system}”"] if chat.system.strip() else []
    parts += [f"its answer begun with “{chat.prefix}”"] if chat.prefix.strip() else []
    parts += [f"thinking {'on' if chat.thinking else 'off'}"] if chat.thinking is not None else []
    return f"Asked in a chat{': ' if parts else ''}{', '.join(parts)}."


def _more(page: str, tokenizer: Any) -> None:
    st.text_area(
        "What the model is told before (system)",
        **field(page, "chat_system"),
        placeholder="the template’s own",
        height=80,
    )
    st.text_input("Its answer begins with", **field(page, "chat_prefix"), placeholder="nothing yet")
    if tokenizer is not None and knows_thinking(tokenizer):
        st.segmented_control(
            "Thinking before it answers", list(THINKING), **field(page, "chat_thinking"), required=True,
            help="Where it is on, what the model says first is a thought.",
        )  # fmt: skip


def _fill(page: str) -> None:
    """Let the widgets say what was put under the page's chat from elsewhere."""
    state, place = st.session_state, slot(page, "chat")
    held = state.setdefault(place, None)
    held = held.model_dump() if isinstance(held, Chat) else held
    if slot(page, "chat_on") in state and held == state.get(f"{page}.chat_said"):
        return
    chat = Chat() if held is None else Chat.model_validate(held)
    state[slot(page, "chat_on")] = held is not None
    state[slot(page, "chat_system")], state[slot(page, "chat_prefix")] = chat.system, chat.prefix
    state[slot(page, "chat_thinking")] = next(name for name, thinks in THINKING.items() if thinks == chat.thinking)
    state[place] = state[f"{page}.chat_said"] = held


def _held(page: str) -> dict[str, Any] | None:
    state = st.session_state
    if not state[slot(page, "chat_on")]:
        return None
    return {
        "system": state[slot(page, "chat_system")] or "",
        "prefix": state[slot(page, "chat_prefix")] or "",
        "thinking": THINKING[state[slot(page, "chat_thinking")] or next(iter(THINKING))],
    }
