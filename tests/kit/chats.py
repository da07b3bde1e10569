"""Chat templates of every kind there is, in the words of the tiny models' tokenizer."""

import sys
from typing import Any

import pytest

from analysis.model.language_model import LanguageModel
from analysis.text.framing import Chat

CHATML = (
    "{% if messages[0]['role'] != 'system' %}[system] speaks [end]\n{% endif %}"
    "{% for m in messages %}[{{ m['role'] }}]{{ '\n' if m['role'] == 'assistant' else ' ' }}{{ m['content'] }} [end]\n"
    "{% endfor %}{% if add_generation_prompt %}[model]\n{% endif %}"
).replace("{{ m['role'] }}", "{{ m['role'] | replace('assistant', 'model') }}")
"""Marks round each turn, a system text of its own, the answer on a line of its own."""
STRICT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "[{{ m['role'] }}] {{ m['content'] | trim }} [end]\n{% endfor %}{% if add_generation_prompt %}[model]\n{% endif %}"
)
"""No system text, and roles in turn."""
MERGING = (
    "{% set told = messages[0]['content'] + ' ' if messages[0]['role'] == 'system' else '' %}"
    "{% for m in messages if m['role'] != 'system' %}[{{ m['role'] }}] {% if loop.first %}{{ told }}{% endif %}"
    "{{ m['content'] }} [end]\n{% endfor %}{% if add_generation_prompt %}[model]\n{% endif %}"
)
"""The system text stands in the person's first turn."""
TALKATIVE = (
    "{% for m in messages if m['role'] != 'system' %}{% if m['role'] == 'user' %}[ask] {{ m['content'] }} [/ask]"
    "{% else %} {{ m['content'] }}{% endif %}{% endfor %}"
)
"""The answer follows on the same line, behind a space; a system text is left out without a word."""
BOS = (
    "<s> {% for m in messages %}[{{ m['role'].replace('assistant', 'model') }}] {{ m['content'] }}"
    "{% if m['role'] == 'assistant' %} <s>{% endif %} {% endfor %}{% if add_generation_prompt %}[model]{% endif %}"
)
"""Brings its own beginning of text."""
THINKING = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | replace('loud', 'soft') }} [end]\n{% endfor %}"
    "{% if add_generation_prompt %}[model] {% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}{% endif %}"
)
"""Lets the model think, unless told not to; and puts one word in another's place."""


def templated(tokenizer: Any, template: str) -> Any:
    """The tokenizer with a template."""
    tokenizer.chat_template = template
    return tokenizer


PLAIN_BY_RIGHT = {"written", "_sampled", "_contexts_of", "_lists"}
"""Functions that read what the model writes by itself: as it stands, in any conversation."""


def asked_of(lm: LanguageModel, patch: pytest.MonkeyPatch) -> tuple[set[Chat], set[str]]:
    """From now on: the conversations prompts of this model are put into, and who reads texts as they stand."""
    put: set[Chat] = set()
    beside: set[str] = set()
    plain, talk = lm.encode_plain, lm.encode_talk

    def spied_plain(text: str) -> Any:
        frame = sys._getframe(1)
        while frame.f_code.co_name.startswith("<"):  # a comprehension
            frame = frame.f_back
        beside.add(frame.f_code.co_name)
        return plain(text)

    def spied_talk(said: Any, chat: Chat) -> Any:
        put.add(chat)
        return talk(said, chat)

    patch.setattr(lm, "encode_plain", spied_plain)
    patch.setattr(lm, "encode_talk", spied_talk)
    return put, beside
