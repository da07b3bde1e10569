"""Conflicts that tiny models can read."""

from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

from analysis.facts import Fact
from analysis.tokens import Tokens
from tests.families import word_tokenizer

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
