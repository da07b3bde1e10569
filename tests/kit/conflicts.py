"""Conflicts that tiny models can read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

from analysis import (
    ConflictRequest,
    HeadsRequest,
    KnockoutRequest,
    TransferRequest,
    conflict,
    heads_on_prompt,
    knock_out,
    transfer,
)
from analysis.facts.facts import Fact
from analysis.knowledge_conflict import tokenised
from analysis.model.language_model import LanguageModel
from analysis.text.tokens import Tokens
from tests.kit.families import word_tokenizer

OBJECTS = ("river", "mother", "city", "old", "tower")


def tokens(*ids: int) -> Tokens:
    """A prompt of token ids."""
    return Tokens("", ids, ("",) * len(ids), ((0, 0),) * len(ids))


def tiny_facts(relation: str = "capital") -> tuple[Fact, ...]:
    """Facts of one relation, in words that the tiny models' tokenizer has."""
    return tuple(
        Fact(
            id=f"{relation}/w{number}",
            relation=relation,
            subject=f"w{number}",
            object=OBJECTS[number % len(OBJECTS)],
            prompt="the {} stands in a",
            paraphrases=("Brin {} wrote", "Aldra {} on a"),
        )
        for number in range(24, 44)
    )


def splitting_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, and a full stop is one of its own."""
    made = word_tokenizer()
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


REQUESTS: dict[str, Any] = {
    "heads": HeadsRequest(prompt="the w24 stands in old. the w24 stands in a", subject="w24", context="old", most=2),
    "conflict": ConflictRequest(find=2, validation=2, test=3, ks=(1, 2), draws=2, at_least=0),
    "knockout": KnockoutRequest(n=2, at_least=0),
    "transfer": TransferRequest(
        relations=("capital", "language"), forms=("sentence",), find=2, test=2, k=1, at_least=0
    ),
}


@contextmanager
def readable(lm: LanguageModel) -> Iterator[None]:
    """Facts in four relations that a tiny model can read and is taken to know."""
    names = ("capital", "language", "continent", "city_country")
    facts = tuple(fact for name in names for fact in tiny_facts(name))
    with (
        patch.object(tokenised, "read_facts", lambda: facts),
        patch.object(tokenised, "knows", lambda *_: True),
        patch.object(lm, "tokenizer", splitting_tokenizer()),
    ):
        yield


def results(lm: LanguageModel) -> dict[str, Any]:
    """A result of every study of conflicts."""
    runs = {"heads": heads_on_prompt, "conflict": conflict, "knockout": knock_out, "transfer": transfer}
    with readable(lm):
        return {name: run(lm, REQUESTS[name]) for name, run in runs.items()}
