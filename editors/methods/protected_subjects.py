"""Whom an edit must not move: subjects of the fact's own type, by the stored facts or by the model itself.

They are written into the request, so that a recipe says what was protected. Subjects that a score is taken of are
never among them: protected keys say nothing of those that are not (specification: a contract about named prompts).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import torch

from analysis.errors import BadRequest
from analysis.facts.facts import read_facts
from analysis.forward.generation import continuations
from editors.edit.probes import Probe, bare
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

DRAWN, LONG, MOST = 16, 24, 12
"""Lists the model goes on with, tokens of each, and subjects that are taken of them."""
LISTS = ("A few examples are {},", "There are many, such as {},")
"""How a list of the subject's like begins."""
NAME = re.compile(r"[^\W\d_][\w’' -]*(?:\. ?[\w’' -]+)*")


def with_protected(lm: "LanguageModel", request: EditRequest) -> EditRequest:
    """The request with those protected written out; `BadRequest` where none are to be found."""
    if "protect_keys" not in method_of(request.method).uses or not protects(request):
        return request
    weight = request.protect_weight
    if weight is None:
        weight = method_of(request.method).defaults.get("protect_weight", 0.1)
    found = dict.fromkeys(request.protected)
    if request.protect_keys != "none" and weight:
        for fact in request.facts:
            like = of_relation(request, fact) if request.protect_keys == "relation" else _of_model(lm, request, fact)
            found.update(dict.fromkeys(like))
    return request.model_copy(update={"protected": tuple(found), "protect_weight": weight})


def protects(request: EditRequest) -> bool:
    """Whether anything is to be protected by its key."""
    return request.protect_keys != "none" or bool(request.protected)


def class_subjects(request: EditRequest) -> list[Protected]:
    """All stored subjects in their own sentences, but those written and those held out."""
    out = _out(request)
    alike = {(fact.prompt, fact.subject): None for fact in read_facts() if bare(fact.subject) not in out}
    return [Protected(prompt=prompt, subject=subject) for prompt, subject in alike]


def scored_subjects(probes: Iterable[Probe]) -> tuple[str, ...]:
    """Stored subjects that occur in prompts that should stay as they are: what `held_out` of a scored edit names."""
    asked = [probe.prompt for probe in probes if probe.kind in ("neighbour", "distracting", "locality")]
    named = dict.fromkeys(fact.subject for fact in read_facts())
    named.update(dict.fromkeys(near.subject for fact in read_facts() for near in fact.neighbours))
    return tuple(subject for subject in named if any(bare(subject) in prompt.casefold() for prompt in asked))


def of_relation(request: EditRequest, fact: Rewrite) -> Iterator[Protected]:
    """The stored subjects of the relation a fact's sentence asks for, in it; `BadRequest` where it asks for none."""
    relation = _relation(fact)
    if relation is None:
        raise BadRequest(
            f"No stored relation asks as “{fact.prompt}” does, so there are no subjects of it to protect. Let the "
            "model name some (protect_keys own), or name prompts that must not move."
        )
    out = _out(request)
    usual = Counter(one.prompt for one in read_facts() if one.relation == relation).most_common(1)[0][0]
    for one in read_facts():
        if one.relation == relation and bare(one.subject) not in out:
            yield Protected(prompt=fact.prompt if one.prompt == usual else one.prompt, subject=one.subject)


def _relation(fact: Rewrite) -> str | None:
    """The stored relation a fact's sentence asks for."""
    return next((one.relation for one in read_facts() if fact.prompt in (one.prompt, *one.paraphrases)), None)


def _out(request: EditRequest) -> set[str]:
    """Those never protected: whom the facts are about, their stored neighbours, which are scored, and the held out."""
    near = [
        neighbour.subject
        for fact in request.facts
        for own in read_facts()
        if bare(own.subject) == bare(fact.subject) and own.relation == _relation(fact)
        for neighbour in own.neighbours
    ]
    return {bare(name) for name in (*(fact.subject for fact in request.facts), *near, *request.held_out)}


def _of_model(lm: "LanguageModel", request: EditRequest, fact: Rewrite) -> Iterator[Protected]:
    """Subjects the model names when it goes on with a list that a fact's subject begins."""
    known = ("like", fact.subject, request.seed)
    if known not in lm.memo:
        lm.memo[known] = _named(_lists(lm, fact.subject, request.seed), fact.subject)
    out = _out(request)
    like = [name for name in lm.memo[known] if bare(name) not in out][:MOST]
    if not like:
        raise BadRequest(
            f"{lm.name} names nothing like “{fact.subject}”, so there are no subjects to protect. Name prompts that "
            "must not move."
        )
    return (Protected(prompt=fact.prompt, subject=name) for name in like)


def _lists(lm: "LanguageModel", subject: str, seed: int) -> Iterator[str]:
    for number, opening in enumerate(LISTS):
        ids = torch.tensor([lm.encode_plain(opening.replace("{}", subject)).ids] * (DRAWN // len(LISTS)))
        new = torch.stack(list(continuations(lm, ids, LONG, seed=seed + number, top_k=10)), 1)
        yield from (lm.tokenizer.decode(row, skip_special_tokens=True) for row in new.tolist())


def _named(lists: Iterable[str], subject: str) -> Collection[str]:
    """Names in lists, those that most lists hold first; written as the subject is, large or small."""
    counts: Counter[str] = Counter()
    for text in lists:
        line = text.partition("\n")[0].partition(". ")[0]
        parts = [part.strip() for part in re.split(r",|;| and | or ", line)][:-1]  # the last may be cut
        whole = [part.removeprefix("and ").removeprefix("or ").strip() for part in parts]
        counts.update(
            name
            for name in dict.fromkeys(whole)
            if NAME.fullmatch(name)
            and len(name.split()) <= 4
            and name[0].isupper() == subject[0].isupper()
            and bare(subject) not in bare(name)
        )
    return [name for name, _ in counts.most_common()]
