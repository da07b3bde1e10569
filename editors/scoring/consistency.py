"""Consistency: whether texts about an edited subject read like texts about others of which the new answer is true.

CounterFact's RS: the cosine of word counts, weighted by rarity, of what the model writes and of reference texts. Its
references are encyclopedia pieces; ours are the sentences of the stored facts, so numbers compare within this
workbench only.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from analysis.facts.facts import Fact, read_facts
from analysis.text.boundary import sentence
from editors.cases.case import Case

WORD = re.compile(r"\b\w\w+\b")


def reference(case: Case) -> str:
    """All that the facts say of subjects of which the first fact's new answer is true; empty where they say nothing."""
    return " ".join(
        _said_of(fact.subject)
        for fact in read_facts()
        if fact.relation == case.relation and fact.object == case.rewrite.target
    )


def consistency(texts: Sequence[str], reference: str) -> float:
    """Cosine of the TF-IDF vectors of joined texts and of a reference, in [0, 1]; 0 where they share no word."""
    one, other = _weighted(" ".join(texts)), _weighted(reference)
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    shared = sum(value * other[word] for word, value in one.items() if word in other)
    return shared / lengths if lengths else 0.0


def _said_of(subject: str) -> str:
    return " ".join(sentence for fact in read_facts() if fact.subject == subject for sentence in _sentences(fact))


def _sentences(fact: Fact) -> list[str]:
    told = [(wording, fact.object) for wording in (fact.prompt, *fact.paraphrases)]
    told += [(other.prompt, other.object) for other in fact.others]
    return [sentence(wording.replace("{}", fact.subject), answer) for wording, answer in dict.fromkeys(told)]


def _weighted(text: str) -> dict[str, float]:
    rarity, unseen = _rarity()
    return {word: count * rarity.get(word, unseen) for word, count in Counter(_words(text)).items()}


@lru_cache
def _rarity() -> tuple[dict[str, float], float]:
    """Smoothed inverse document frequency over one text a subject, and that of a word in none of them."""
    subjects = dict.fromkeys(fact.subject for fact in read_facts())
    texts = [set(_words(_said_of(subject))) for subject in subjects]
    found = Counter(word for words in texts for word in words)
    return {word: 1 + math.log((1 + len(texts)) / (1 + count)) for word, count in found.items()}, 1 + math.log(
        1 + len(texts)
    )


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())
