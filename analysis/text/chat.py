"""A prompt inside a conversation, as the model's own chat template puts it.

The template is asked, never imitated: it is filled once with a mark in the person's place and once with the prompt,
so what is the person's own in the whole text is known to the character. Between the last of these words and the
answer stand the template's marks and the words the answer is to begin with; the answer is read behind them.

What a person writes is text and stays in its place. A prompt that holds a mark of the template, which a tokenizer reads
as that mark wherever it stands, would end the person's turn: it is refused, not quietly read as two turns.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from jinja2.exceptions import TemplateError

from analysis.errors import BadRequest
from analysis.text.boundary import Boundary
from analysis.text.framing import Chat
from analysis.text.thinking import MARKS, parts
from analysis.text.tokens import Tokens, as_it_stands, refuse_empty

Role = Literal["template", "system", "you", "model", "thinking"]
"""Whose words a token is: marks of the template, the system text, the person's prompt, the answer's beginning."""
PLACE = "\ue000"
"""Stands where words will stand; a character for private use, which no template looks for."""
SWITCHES = ("enable_thinking", "thinking")
"""Names by which templates are told to let the model think: Qwen's, and DeepSeek's and Granite's."""
TODAY = datetime(2024, 7, 26)
"""What day it is in templates that tell: the same for ever, or a request would mean another text tomorrow."""
_DATES = re.compile(r"""strftime_now\(\s*["']([^"']+)["']\s*\)""")
_DATED = "{%- macro strftime_now(format) -%}{{ _days[format] }}{%- endmacro -%}"
Message = dict[str, str]


def has_template(tokenizer: Any) -> bool:
    """Whether the model was made for conversations."""
    try:
        return bool(tokenizer.get_chat_template())
    except (AttributeError, ValueError):  # no template; several, none of them the default
        return False


def knows_thinking(tokenizer: Any) -> bool:
    """Whether the template does something else for a model that shall think than for one that shall not."""
    if not has_template(tokenizer):
        return False
    asked = [{"role": "user", "content": PLACE}]
    try:
        on, off = (_rendered(tokenizer, asked, Chat(thinking=thinks)) for thinks in (True, False))
    except (TemplateError, TypeError, ValueError):
        return False
    return on != off


def in_chat(
    tokenizer: Any,
    talk: Sequence[str],
    chat: Chat,
    name: str = "This model",
    boundary: Boundary = "auto",
    rows: int | None = None,
) -> Tokens:
    """Tokens of a conversation that ends just before the model's answer, or within it where `chat` begins it.

    `talk` is what the person says, what the model said, and so on; the last is the person's, and their own prompt.
    `boundary` and `rows` as in `tokens.encode`: left to itself, what stands before the answer is what the template puts
    there, or what the words it begins with ask for.
    Raises `BadRequest` where the template cannot put it so.
    """
    words = talk[-1].strip()
    refuse_empty(words)
    if not has_template(tokenizer):
        raise BadRequest(f"{name} has no chat template. Switch chat off, or choose a model made for conversations.")
    if chat.thinking is not None and not knows_thinking(tokenizer):
        raise BadRequest(f"{name}’s chat template knows no switch for thinking. Leave it at the template’s own.")
    before, after = _around(tokenizer, talk, chat, name)
    said = {"prompt": words, "system text": chat.system, "answer’s beginning": chat.prefix}
    _refuse_marks(tokenizer, said, after, name)
    text = _put(tokenizer, _messages([*talk[:-1], words], chat), chat, name)
    if text != before + words + after:
        raise BadRequest(
            f"{name}’s chat template does not leave this prompt as it stands. Word it otherwise, or switch chat off."
        )
    system = _system(tokenizer, talk, chat, before, name)
    gap = _gap(tokenizer, talk, chat, before + PLACE + after)
    prefix = chat.prefix.rstrip(" ")
    whole = text + (f"{gap or ''}{prefix}" if prefix else "" if gap in (None, "", " ") else gap)
    if boundary == "auto" and not prefix:
        boundary = "space" if gap == " " or whole.endswith(" ") else "auto" if gap is None else "none"
    if not prefix:
        whole = whole.rstrip(" ")
    own = (len(before), len(before) + len(words))
    spans: list[tuple[Role, int, int]] = [("system", *system), ("you", *own)]
    spans.append(("model", len(whole) - len(prefix), len(whole)))
    spans += [("thinking", own[1] + part.begin, own[1] + part.end) for part in parts(whole[own[1] :]) if part.thought]
    tokens = as_it_stands(tokenizer, whole, boundary, rows)
    return replace(tokens, own=own, roles=tuple(_roles(tokens, spans)))


def turn_ends(tokenizer: Any) -> set[int]:
    """Tokens by which the template ends the model's turn."""
    talk = _messages([PLACE, PLACE], Chat())
    try:
        rest = _rendered(tokenizer, talk, Chat(), ask=False).rpartition(PLACE)[2]
    except (TemplateError, TypeError, ValueError):
        return set()
    marks = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    first = min((mark for mark in marks if mark in rest), key=rest.index, default=None)
    return set() if first is None else {marks[first]}


def _messages(talk: Sequence[str], chat: Chat) -> list[Message]:
    told = [{"role": "system", "content": chat.system}] if chat.system.strip() else []
    return told + [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(talk)]


def _rendered(tokenizer: Any, messages: list[Message], chat: Chat, *, ask: bool = True) -> str:
    template = tokenizer.get_chat_template()
    options: dict[str, Any] = {"date_string": TODAY.strftime("%d %b %Y")}
    if formats := set(_DATES.findall(template)):
        options |= {"chat_template": _DATED + template, "_days": {one: TODAY.strftime(one) for one in formats}}
    if chat.thinking is not None:
        options |= dict.fromkeys(SWITCHES, chat.thinking)
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask, **options)


def _put(tokenizer: Any, messages: list[Message], chat: Chat, name: str) -> str:
    """The text of a conversation; `BadRequest` says what the template will not have."""
    try:
        return _rendered(tokenizer, messages, chat)
    except (TemplateError, TypeError, ValueError) as error:
        rest = [message for message in messages if message["role"] != "system"]
        if len(rest) < len(messages):
            try:
                _rendered(tokenizer, rest, chat)
            except (TemplateError, TypeError, ValueError):
                pass
            else:
                raise BadRequest(
                    f"{name}’s chat template takes no system text ({error}). Leave it empty, or write it into the "
                    "prompt."
                ) from error
        raise BadRequest(f"{name}’s chat template cannot put this conversation ({error}). Switch chat off.") from error


def _around(tokenizer: Any, talk: Sequence[str], chat: Chat, name: str) -> tuple[str, str]:
    """What the template puts before and behind the person's last words."""
    before, place, after = _put(tokenizer, _messages([*talk[:-1], PLACE], chat), chat, name).partition(PLACE)
    if not place or PLACE in after:
        raise BadRequest(f"{name}’s chat template does not put the prompt once, as it stands. Switch chat off.")
    return before, after


def _refuse_marks(tokenizer: Any, said: dict[str, str], after: str, name: str) -> None:
    """Refuse words that hold a mark of the template: it would be read as one."""
    thoughts = {mark for pair in MARKS for mark in pair}
    template = tokenizer.get_chat_template()
    added = [token for token in tokenizer.added_tokens_decoder.values() if token.special or str(token) in template]
    marks = {str(token).strip() for token in added} | {line.strip() for line in after.splitlines()}
    marks -= {"", *thoughts}
    for what, text in said.items():
        if held := sorted((mark for mark in marks if mark in text), key=len):
            raise BadRequest(
                f"The {what} holds “{held[-1]}”, a mark of {name}’s chat template that would be read as the end or the "
                "beginning of a turn. Take it out, or switch chat off."
            )


def _system(tokenizer: Any, talk: Sequence[str], chat: Chat, before: str, name: str) -> tuple[int, int]:
    """Where the system text stands, the person's or the template's own; refused where the template leaves it out."""
    if told := chat.system.strip():
        if (begin := before.rfind(told)) < 0:
            raise BadRequest(
                f"{name}’s chat template leaves the system text out. Leave it empty, or write it into the prompt."
            )
        return begin, begin + len(told)
    try:
        marked = _rendered(tokenizer, _messages([*talk[:-1], PLACE], Chat(system=PLACE, thinking=chat.thinking)), chat)
    except (TemplateError, TypeError, ValueError):
        return 0, 0
    front, *rest = marked.split(PLACE)
    if len(rest) == 2 and before.startswith(front) and before.endswith(rest[0]):
        return len(front), max(len(front), len(before) - len(rest[0]))
    return 0, 0


def _gap(tokenizer: Any, talk: Sequence[str], chat: Chat, asked: str) -> str | None:
    """White space, or nothing, that the template puts before the model's words; None where it does not tell."""
    try:
        answered = _rendered(tokenizer, _messages([*talk[:-1], PLACE, PLACE], chat), chat, ask=False)
    except (TemplateError, TypeError, ValueError):
        return None
    begin = answered.rpartition(PLACE)[0]
    gap = begin.removeprefix(asked)
    return gap if begin.startswith(asked) and not gap.strip() else None


def _roles(tokens: Tokens, spans: Sequence[tuple[Role, int, int]]) -> Iterator[Role]:
    """Of each token, whose words its last character is; later spans lie over earlier ones."""
    for begin, end in tokens.spans:
        role: Role = "template"
        if end > begin:
            for one, left, right in spans:
                role = one if left < end <= right else role
        yield role
