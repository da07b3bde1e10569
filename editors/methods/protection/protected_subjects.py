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
from analysis.forward.generation import continuations
from editors.edit.probes import bare
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.methods.protection.like_subjects import never_protected, of_relation
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
        out = never_protected(request)
        for fact in request.facts:
            like = of_relation(fact, out) if request.protect_keys == "relation" else _of_model(lm, request, fact, out)
            found.update(dict.fromkeys(like))
    return request.model_copy(update={"protected": tuple(found), "protect_weight": weight})


def protects(request: EditRequest) -> bool:
    """Whether anything is to be protected by its key."""
    return request.protect_keys != "none" or bool(request.protected)


def _of_model(lm: "LanguageModel", request: EditRequest, fact: Rewrite, out: Collection[str]) -> Iterator[Protected]:
    """Subjects the model names when it goes on with a list that a fact's subject begins."""
    known = ("like", fact.subject, request.seed)
    if known not in lm.memo:
        lm.memo[known] = _named(_lists(lm, fact.subject, request.seed), fact.subject)
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
