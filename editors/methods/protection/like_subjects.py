"""Stored subjects like a fact's: of its relation, of all relations, and those that a score is taken of.

What a score is taken of is never among what is protected, by keys or in the search: a contract about named prompts
says nothing of others, and a score of what was named would say nothing of the method.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from analysis.errors import BadRequest
from analysis.facts.facts import read_facts
from editors.edit.probes import Probe, bare
from editors.edit.request import EditRequest, Protected, ProtectedFrom, Rewrite


def relation_of(fact: Rewrite) -> str | None:
    """The stored relation a fact's sentence asks for; None where it asks for none."""
    return next((one.relation for one in read_facts() if fact.prompt in (one.prompt, *one.paraphrases)), None)


def source_for(request: EditRequest) -> ProtectedFrom:
    """Where those like the facts' subjects are to be had: in the stored relation, where there is one."""
    return "relation" if all(relation_of(fact) for fact in request.facts) else "own"


def of_relation(fact: Rewrite, out: Collection[str] = ()) -> Iterator[Protected]:
    """The stored subjects of the relation a fact's sentence asks for, in it, but its own and those of `out`, bare.

    `BadRequest` where it asks for no stored relation.
    """
    relation = relation_of(fact)
    if relation is None:
        raise BadRequest(
            f"No stored relation asks as “{fact.prompt}” does, so there are no subjects of it to protect. Let the "
            "model name some (protect_keys own), or name prompts that must not move."
        )
    usual = Counter(one.prompt for one in read_facts() if one.relation == relation).most_common(1)[0][0]
    for one in read_facts():
        if one.relation == relation and bare(one.subject) not in {bare(fact.subject), *out}:
            yield Protected(prompt=fact.prompt if one.prompt == usual else one.prompt, subject=one.subject)


def class_subjects(request: EditRequest) -> list[Protected]:
    """All stored subjects in their own sentences, but those that are never protected."""
    out = never_protected(request)
    alike = {(fact.prompt, fact.subject): None for fact in read_facts() if bare(fact.subject) not in out}
    return [Protected(prompt=prompt, subject=subject) for prompt, subject in alike]


def scored_subjects(probes: Iterable[Probe]) -> tuple[str, ...]:
    """Stored subjects that occur in prompts that should stay as they are: what `held_out` of a scored edit names."""
    asked = [probe.prompt.casefold() for probe in probes if probe.kind in ("neighbour", "distracting", "locality")]
    named = dict.fromkeys(fact.subject for fact in read_facts())
    named.update(dict.fromkeys(near.subject for fact in read_facts() for near in fact.neighbours))
    return tuple(subject for subject in named if any(bare(subject) in prompt for prompt in asked))


def never_protected(request: EditRequest) -> set[str]:
    """Whom facts are about, their stored neighbours, which are scored, and the held out; bare."""
    written = {(bare(fact.subject), relation_of(fact)) for fact in request.facts}
    near = [
        neighbour.subject
        for own in read_facts()
        if (bare(own.subject), own.relation) in written
        for neighbour in own.neighbours
    ]
    return {bare(name) for name in (*(fact.subject for fact in request.facts), *near, *request.held_out)}
