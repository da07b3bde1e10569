"""Did it hold, and did anything else move? Prompts asked of a model, before an edit and after.

Length-normalised likelihood and greedy match stand side by side: comparing likelihoods alone hides
damage (2502.11177, and CounterFact's own scores).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from analysis.facts.facts import Fact, read_facts
from editors.edit.request import Rewrite

Kind = Literal["rewrite", "paraphrase", "neighbour", "other", "distracting", "portability", "locality"]
WANT_NEW: tuple[Kind, ...] = ("rewrite", "paraphrase", "portability")
"""Kinds of prompts that should be answered with the new answer; all others should keep the old one."""


@dataclass(frozen=True)
class Probe:
    """One prompt, the answer an edit would write there and the answer that stood there."""

    units: ClassVar[dict[str, str]] = {"fact": "fact number"}
    fact: int
    kind: Kind
    prompt: str
    new: str
    old: str


@dataclass(frozen=True)
class Answers:
    """What a model says to p probes."""

    units: ClassVar[dict[str, str]] = {
        "new": "probability", "old": "probability", "new_greedy": "yes or no", "old_greedy": "yes or no",
        "said_probability": "probability",
    }  # fmt: skip
    new: np.ndarray  # (p,) geometric mean probability of the new answer's tokens
    old: np.ndarray  # (p,) of the old answer's
    new_greedy: np.ndarray  # (p,) bool: every token of the new answer is the likeliest where it stands
    old_greedy: np.ndarray  # (p,)
    said: list[str]  # the likeliest next token
    said_probability: np.ndarray  # (p,)


def stored_fact(rewrite: Rewrite, said: str) -> Fact | None:
    """The fact of the assets a rewrite is about: the same sentence, or the same subject with `said` for its object."""
    facts = read_facts()
    same = next((fact for fact in facts if fact.text == rewrite.text), None)
    return same or next((f for f in facts if bare(f.subject) == bare(rewrite.subject) and f.object == said), None)


def bare(subject: str) -> str:
    """A subject as it is compared: small letters, no article."""
    return subject.casefold().removeprefix("the ").strip()


def probes_of(index: int, rewrite: Rewrite, old: str, fact: Fact | None) -> list[Probe]:
    """The prompt itself, and, for a stored fact, its paraphrases, neighbours and the subject's other facts."""
    found = [Probe(index, "rewrite", rewrite.text, rewrite.target, old)]
    if fact is None:
        return found
    found += [
        Probe(index, "paraphrase", text.replace("{}", fact.subject), rewrite.target, old) for text in fact.paraphrases
    ]
    found += [
        Probe(index, "neighbour", near.text, rewrite.target, near.object)
        for near in fact.neighbours
        if near.object != rewrite.target
    ]
    found += [
        Probe(index, "other", other.prompt.replace("{}", fact.subject), rewrite.target, other.object)
        for other in fact.others
    ]
    return found


@dataclass(frozen=True)
class Glance:
    """The first fact of an edit, before and after, as a person sees it."""

    units: ClassVar[dict[str, str]] = {"before": "probability", "after": "probability"}
    prompt: str
    words: list[str]  # what was said at first, what was to be said, and what else was likely
    before: np.ndarray  # (words,) next-token probabilities
    after: np.ndarray
    texts: list[tuple[str, str, str]]  # prompt, how it went on before, how it goes on after


@dataclass(frozen=True)
class Score:
    """Shares in [0, 1] over probes of one kind, averaged within a fact first."""

    likelier: float
    """The wanted answer is likelier than the other one: ES, PS, NS of CounterFact."""
    greedy: float
    """The wanted answer is what the model says, token for token."""
    facts: int
    half_width: float
    """Of `likelier`, 95 %."""


def score(probes: Sequence[Probe], answers: Answers, kind: Kind) -> Score | None:
    """Success (rewrite, paraphrase: the new answer is wanted) or constancy (neighbour, other: the old one)."""
    wants_new = kind in WANT_NEW
    likelier = (answers.new > answers.old) if wants_new else (answers.old > answers.new)
    greedy = answers.new_greedy if wants_new else answers.old_greedy
    by_fact: dict[int, list[int]] = {}
    for index, probe in enumerate(probes):
        if probe.kind == kind:
            by_fact.setdefault(probe.fact, []).append(index)
    if not by_fact:
        return None
    means = np.array([likelier[own].mean() for own in by_fact.values()])
    spread = 1.96 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return Score(
        float(means.mean()), float(np.mean([greedy[own].mean() for own in by_fact.values()])), len(means), spread
    )
