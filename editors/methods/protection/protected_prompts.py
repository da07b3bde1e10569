"""Which prompts a new value shall leave as they are: those that are named, else ones of the workbench's own.

None of them is one that an edit of a stored fact is scored by: its other relations and its neighbours stay for the
score. What is kept is the model's own answer, so no right answer need be known.
"""

from contextlib import suppress

from analysis.errors import BadRequest
from editors.edit.request import EditRequest, Rewrite
from editors.methods.protection.like_subjects import never_protected, of_relation
from editors.registry.methods import method_of

OTHERS = (
    "{} is known for",
    "{} was",
    "The name of {} comes from",
    "Many people think of {} as",
    "{} is famous because",
)
"""Asked of every subject, whatever it is; no stored fact is told by one of them."""
NEIGHBOURS = 3
"""Neighbours of each fact, where none are named."""


def with_prompts(request: EditRequest) -> EditRequest:
    """The request with the prompts it protects; `BadRequest` for prompts that are of no use to its facts."""
    if "others" not in method_of(request.method).uses:
        return request
    changed: dict[str, tuple[str, ...]] = {}
    if request.others_weight and request.others is None:
        changed["others"] = OTHERS
    if (request.behind_weight or request.near_weight) and request.neighbours is None:
        changed["neighbours"] = stored_neighbours(request)
    full = request.model_copy(update=changed)
    for fact in full.facts:
        others_of(full, fact)
    for text in (full.others or ()) if full.others_weight else ():
        if text.count("{}") > 1 or ("{}" not in text and not any(fact.subject in text for fact in full.facts)):
            raise BadRequest(
                f"“{text}” must hold {{}} once, in place of the subject, or the subject of a fact that is written."
            )
    for text in full.neighbours or ():
        if "{}" in text:
            raise BadRequest(f"“{text}” holds {{}}. Write the subject itself: a neighbour is a whole prompt.")
    for text in (full.neighbours or ()) if full.near_weight else ():
        if not any(subject_in(fact, text) for fact in full.facts):
            raise BadRequest(
                f"“{text}” is not the prompt of a fact that is written with another subject, so there is no place for "
                "the change in it. Take it for behind_weight alone."
            )
    return full


def others_of(request: EditRequest, fact: Rewrite) -> tuple[str, ...]:
    """Prompts with {} that are protected for this fact; `BadRequest` where one is the fact itself."""
    if not request.others_weight:
        return ()
    found = tuple(_template(text, fact) for text in request.others or () if "{}" in _template(text, fact))
    if fact.prompt in found:
        raise BadRequest(f"“{fact.text}” is to be written and to stay as it is. Take it out of others.")
    return found


def _template(text: str, fact: Rewrite) -> str:
    return text if "{}" in text else text.replace(fact.subject, "{}", 1)


def neighbours_of(request: EditRequest, fact: Rewrite) -> tuple[str, ...]:
    """Prompts of other subjects protected for this fact: its own prompt with another subject, and those of no fact."""
    foreign = [text for text in request.neighbours or () if not any(subject_in(one, text) for one in request.facts)]
    return (*(text for text in request.neighbours or () if subject_in(fact, text)), *foreign)


def subject_in(fact: Rewrite, text: str) -> str:
    """The subject in a text that is the fact's prompt with another one; empty where it is another text."""
    before, _, after = fact.prompt.partition("{}")
    inner = text[len(before) : len(text) - len(after)]
    return inner if inner and text == before + inner + after and inner != fact.subject else ""


def stored_neighbours(request: EditRequest) -> tuple[str, ...]:
    """Of each fact its prompt with some other stored subjects of its relation, none of which a score asks of."""
    out = never_protected(request)
    found: dict[str, None] = {}
    for fact in request.facts:
        with suppress(BadRequest):  # of no stored relation
            subjects = [one.subject for one in of_relation(fact, out)]
            begin, count = sum(map(ord, fact.subject)), min(NEIGHBOURS, len(subjects))
            for number in range(count):
                subject = subjects[(begin + number * (len(subjects) // count)) % len(subjects)]
                found[fact.prompt.replace("{}", subject)] = None
    return tuple(found)
