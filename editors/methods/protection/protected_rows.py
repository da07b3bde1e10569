"""Rows whose answers a new value shall leave as they are: other relations of its subject, neighbours behind the fact.

No rule on the side of the keys can protect what else is said of the subject, for its key is the same one. So the search
itself sees these prompts: with the change at their subject, they pay for what they say otherwise. What they are to say
is the model's own answer as it is found, the first tokens of it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.forward.generation import together
from analysis.text import boundary
from analysis.text.tokens import Tokens
from editors.edit.request import EditRequest, Rewrite
from editors.methods.protection.protected_prompts import neighbours_of, others_of, subject_in
from editors.methods.search.token_rows import Row, placed

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ANSWER = 1
"""Tokens of an answer that are kept."""


def protected_rows(lm: "LanguageModel", request: EditRequest) -> list[Row]:
    """The rows of all facts' protected prompts, for a settled request; none where it protects none."""
    found = [row for index, fact in enumerate(request.facts) for row in _others(lm, request, index, fact)]
    if request.behind_weight:
        found += [row for index, fact in enumerate(request.facts) for row in _behind(lm, request, index, fact)]
    if request.near_weight:
        found += [row for index, fact in enumerate(request.facts) for row in _near(lm, request, index, fact)]
    return found


def _others(lm: "LanguageModel", request: EditRequest, index: int, fact: Rewrite) -> list[Row]:
    """What else is said of the subject: as it is said before any change, with the change at the subject."""
    prompts = [placed(lm, "", fact.model_copy(update={"prompt": text})) for text in others_of(request, fact)]
    answers = _said(lm, [tokens for tokens, _ in prompts])
    return [
        _row(index, tokens, place, answer, request.others_weight / len(prompts))
        for (tokens, place), answer in zip(prompts, answers, strict=True)
    ]


def _behind(lm: "LanguageModel", request: EditRequest, index: int, fact: Rewrite) -> list[Row]:
    """Neighbours behind the new fact as a sentence: as they are answered without it, the change within it."""
    texts = neighbours_of(request, fact)
    alone = [lm.encode(text) for text in texts]
    stated = boundary.sentence(fact.text, fact.target, request.boundary)
    rows = []
    for text, read, answer in zip(texts, alone, _said(lm, alone), strict=True):
        whole = boundary.behind(stated, text)
        begin = fact.prompt.index("{}")
        slot = fact.model_copy(update={"prompt": f"{whole[:begin]}{{}}{whole[begin + len(fact.subject) :]}"})
        tokens, place = placed(lm, "", slot)
        without = (*read.ids, *answer[:-1])
        rows.append(_row(index, tokens, place, answer, request.behind_weight / len(texts), alone=without))
    return rows


def _near(lm: "LanguageModel", request: EditRequest, index: int, fact: Rewrite) -> list[Row]:
    """NA (2503.11895): neighbours with the same change at their own subject, and the likelihood of their answer."""
    own = [subject_in(fact, text) for text in neighbours_of(request, fact)]
    prompts = [placed(lm, "", fact.model_copy(update={"subject": subject})) for subject in own if subject]
    answers = _said(lm, [tokens for tokens, _ in prompts])
    return [
        _row(index, tokens, place, answer, request.near_weight / len(prompts), certain=True)
        for (tokens, place), answer in zip(prompts, answers, strict=True)
    ]


def _row(
    fact: int, tokens: Tokens, place: int, answer: Sequence[int], weight: float, *,
    alone: tuple[int, ...] = (), certain: bool = False,
) -> Row:  # fmt: skip
    end = len(tokens) - 1
    return Row(
        fact, (*tokens.ids, *answer[:-1]), place, kept=tuple(range(end, end + len(answer))), weight=weight,
        alone=alone, answer=tuple(answer) if certain else (),
    )  # fmt: skip


def _said(lm: "LanguageModel", prompts: Sequence[Tokens]) -> list[list[int]]:
    """What the model goes on with, a few tokens each."""
    return together(lm, [tokens.ids for tokens in prompts], [ANSWER] * len(prompts)) if prompts else []
