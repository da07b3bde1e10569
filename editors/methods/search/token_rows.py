"""Token rows an edit is searched and read on: the prompt alone and behind other texts, and the bare subject.

All positions are told here once: where the subject ends, which positions predict the new answer,
where the model is asked what it says of the subject otherwise.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from analysis.cache_home import cache_home
from analysis.forward.generation import continuations
from analysis.moments.corpus import OPENINGS
from analysis.text.tokens import Tokens, answer_tokens, token_range
from analysis.whole_files import replacing
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ESSENCE = "{} is a"
"""What the model says at the subject here shall stay (ROME, section 3.1)."""
CONTEXT_OPENINGS = 5
"""First words contexts grow from: as many as MEMIT's code has, ours in place of its five."""


@dataclass(frozen=True)
class Told:
    """What a row's teacher reads (LTI): tokens, the subject's last, the first place the answer is predicted at.

    `layer`: behind whose block the state at the subject is read, if it is.
    """

    ids: tuple[int, ...]
    start: int
    first: int
    layer: int | None


@dataclass(frozen=True)
class Row:
    """One sequence of tokens for a fact.

    `start` is the subject's last token. `targets[i]` is predicted at position `first + i`. `anchor`: what is said at
    `start` shall stay. `bare`: the prompt without a text before it. `kept`: positions where what is said shall stay,
    each with the share `weight` in its fact's loss: what is said there before any change, or at the end of `alone`
    where that is given, or the very tokens `answer`. Only rows with `targets` have keys that are written.
    """

    fact: int
    ids: tuple[int, ...]
    start: int
    targets: tuple[int, ...] = ()
    first: int = 0
    anchor: bool = False
    bare: bool = False
    kept: tuple[int, ...] = ()
    weight: float = 0.0
    alone: tuple[int, ...] = ()
    answer: tuple[int, ...] = ()
    told: Told | None = None

    @property
    def to_subject(self) -> tuple[int, ...]:
        """The tokens up to the subject's last: all that a key at the subject depends on."""
        return self.ids[: self.start + 1]


def contexts(lm: "LanguageModel", request: EditRequest) -> tuple[str, ...]:
    """Texts the model writes from a few first words, with a fixed seed; braces and marks taken out.

    Of twice as many as are needed those that come back from the tokenizer with the same length are
    preferred: rows of equal length are computed together. They are written once, by the model without edits, and as
    plain text, whatever conversation the prompts behind them are put into; later runs read them from the cache.
    """
    if not request.contexts:
        return ()
    wanted, known = request.contexts, ("contexts", request.contexts, request.context_tokens, request.seed)
    if known not in lm.memo:
        place = cache_home() / "contexts" / lm.own_hash[:24] / f"{wanted}-{request.context_tokens}-{request.seed}.json"
        openings = [OPENINGS[i % CONTEXT_OPENINGS] for i in range(2 * wanted)]
        found = _kept(place, openings)
        if not found:
            found = _contexts_of(lm, request, openings)
            with suppress(OSError), replacing(place) as new:
                new.write_text(json.dumps({"openings": openings, "texts": found}), encoding="utf-8")
        lm.memo[known] = found
    return lm.memo[known]


def _kept(place: Path, openings: list[str]) -> tuple[str, ...]:
    """Texts that were written from these openings before; none where they do not lie there whole."""
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        known, texts = found["openings"], found["texts"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return ()
    whole = known == openings and isinstance(texts, list) and 2 * len(texts) == len(openings)
    return tuple(texts) if whole and all(isinstance(text, str) and not {*text} & {*"{}"} for text in texts) else ()


def _contexts_of(lm: "LanguageModel", request: EditRequest, openings: list[str]) -> tuple[str, ...]:
    starts = [lm.encode_plain(opening).ids for opening in openings]
    made: list[str] = []
    for length in sorted({len(ids) for ids in starts}):
        rows = torch.tensor([ids for ids in starts if len(ids) == length])
        new = list(continuations(lm, rows, request.context_tokens - 1, seed=request.seed, top_k=5))
        for row in torch.cat((rows, torch.stack(new, 1)), 1).tolist():
            text = lm.tokenizer.decode(row, skip_special_tokens=True)
            made.append(" ".join(text.replace("{", " ").replace("}", " ").split()))
    lengths = [len(lm.encode_plain(f"{text}. x")) for text in made]
    common = max(set(lengths), key=lambda length: (lengths.count(length), -length))
    ranked = sorted(range(len(made)), key=lambda index: (lengths[index] != common, index))
    return tuple(made[index] for index in ranked[: request.contexts])


def rows_of(lm: "LanguageModel", facts: Sequence[Rewrite], before: Sequence[str]) -> list[Row]:
    """All rows of all facts; errors of subject and answer are those of `analysis.text.tokens`."""
    rows: list[Row] = []
    for index, fact in enumerate(facts):
        prompts = [placed(lm, prefix, fact) for prefix in ("", *(f"{text}. " for text in before))]
        bare, start = prompts[0]
        targets = answer_tokens(lm.tokenizer, bare, fact.target)
        essence, essence_start = placed(lm, "", fact.model_copy(update={"prompt": ESSENCE}))
        shared = essence.ids[: essence_start + 1] == bare.ids[: start + 1]
        for number, (tokens, place) in enumerate(prompts):
            rows.append(
                Row(
                    index,
                    (*tokens.ids, *targets[:-1]),
                    place,
                    targets,
                    len(tokens) - 1,
                    anchor=shared and number == 0,
                    bare=number == 0,
                )
            )
        if not shared:
            rows.append(Row(index, essence.ids[: essence_start + 1], essence_start, anchor=True))
    return rows


def up_to_key(lm: "LanguageModel", prefix: str, fact: Rewrite | Protected, method: str) -> tuple[int, ...]:
    """The tokens of a prompt behind a text, up to where a method has its key: the subject's last, or the very last."""
    tokens, place = placed(lm, prefix, fact)
    return tuple(tokens.ids if method_of(method).at_end else tokens.ids[: place + 1])


def placed(lm: "LanguageModel", prefix: str, fact: Rewrite | Protected) -> tuple[Tokens, int]:
    """A prompt behind a text, and its subject's last token.

    A prompt that is all subject (a question, in IFMET's second stage) is meant at its very end: where the answer is
    read, behind the template's marks in a chat.
    """
    text = prefix + fact.text
    tokens = lm.encode(text)
    if fact.prompt == "{}":
        return tokens, len(tokens) - 1
    begin = len(prefix) + fact.prompt.index("{}")
    if tokens.own:  # a conversation has no white space round what is said in it
        begin += tokens.begin - (len(text) - len(text.lstrip()))
    return tokens, token_range(tokens, begin, begin + len(fact.subject))[1] - 1
