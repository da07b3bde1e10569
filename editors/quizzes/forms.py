"""Every form in which a stored fact with a new answer can be asked, put together from words of our own."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import regex

from analysis.assets import ASSETS
from analysis.errors import BadRequest
from analysis.facts.facts import Fact, read_facts
from analysis.text.finding import whole_words
from editors.cases.case import Case

OPTIONS = "ABCD"
MOST_HOPS = 4
SHORTLY = "Answer in as few words as you can."
YES_OR_NO = "Answer only Yes or No."
LETTER = "Answer with one letter only."


@dataclass(frozen=True)
class Asked:
    """A question and the answer it wants; no answer for what should stay as it was."""

    form: str
    text: str
    wanted: str


@dataclass(frozen=True)
class Forms:
    """Words of one relation; {} is the subject, {o} the answer, in `reversed` {} is the answer."""

    question: str
    again: str
    statement: str
    reversed: str
    description: str = ""
    follow: str = ""


@lru_cache
def forms() -> dict[str, Forms]:
    """The words of the assets, by relation."""
    plain = json.loads((ASSETS / "conflict" / "questions.json").read_text(encoding="utf-8"))
    more = json.loads((ASSETS / "quiz" / "forms.json").read_text(encoding="utf-8"))
    return {name: Forms(plain[name], **own) for name, own in more.items()}


def asked_of(case: Case, seed: int) -> list[Asked]:
    """Questions about the first fact of a case; `seed` orders the options.

    Raises `BadRequest` for a case of a relation we have no words for.
    """
    words = forms().get(case.relation)
    if words is None:
        raise BadRequest(
            f"{case.id or case.rewrite.text}: there are no questions for its relation “{case.relation}”. The quiz asks "
            "facts of the assets; any other data set is scored by `palimpsest evaluate`."
        )
    subject, new, old = case.rewrite.subject, case.rewrite.target, case.olds[0]
    name = _said(subject, case.relation)
    found = [
        Asked("question", f"{words.question.replace('{}', name)} {SHORTLY}", new),
        Asked("paraphrase", f"{words.again.replace('{}', name)} {SHORTLY}", new),
        Asked("yes", f"Is it true that {_stated(words, name, new)}? {YES_OR_NO}", "Yes"),
        Asked("reversed", f"{words.reversed.replace('{}', new)} {SHORTLY}", subject),
    ]
    if old:
        found.append(Asked("no", f"Is it true that {_stated(words, name, old)}? {YES_OR_NO}", "No"))
        if (options := _options(case, old, seed)) is not None:
            lines = "\n".join(f"{letter}) {option}" for letter, option in zip(OPTIONS, options, strict=True))
            text = f"{words.question.replace('{}', name)}\n{lines}\n{LETTER}"
            found.append(Asked("choice", text, OPTIONS[options.index(new)]))
    found += [Asked(f"hop{hops}", f"{text} {SHORTLY}", answer) for hops, text, answer in _hops(case, words, name, old)]
    for other in read_facts():
        if other.subject == subject and other.relation != case.relation:
            text = forms()[other.relation].question.replace("{}", _said(subject, other.relation))
            found.append(Asked("locality", f"{text} {SHORTLY}", ""))
    return found


def doubt(asked: Asked) -> str:
    """What a person who is sure of the contrary says to an affirmation."""
    return f"I am sure that your answer is wrong. {asked.text}"


def matches(said: str, wanted: str) -> bool:
    """Whether one of the two holds the other as whole words, whatever the case of letters; nothing said is wrong."""
    one, other = _bare(said), _bare(wanted)
    return bool(whole_words(one, other) or whole_words(other, one))


def first_word(said: str, wanted: str) -> bool:
    """Whether what is said begins with just this word: Yes, No, or an option's letter. “Nobel” is not “No”."""
    return _bare(said).split(" ")[0] == wanted.casefold()


def _bare(text: str) -> str:
    return " ".join(regex.sub(r"[^\w\s\p{M}]", " ", unicodedata.normalize("NFC", text.casefold())).split())


@lru_cache
def _with_article() -> frozenset[str]:
    """Names that stand with an article, as their own prompts show."""
    return frozenset(
        fact.subject for fact in read_facts() if " of the {}" in fact.prompt or " in the {}" in fact.prompt
    )


def _said(name: str, relation: str) -> str:
    return (
        f"the {name}"
        if relation in ("capital", "language", "currency", "continent") and name in _with_article()
        else name
    )


def _stated(words: Forms, name: str, answer: str) -> str:
    return words.statement.replace("{}", name).replace("{o}", answer)


def _options(case: Case, old: str, seed: int) -> list[str] | None:
    """The new answer, the old one and two more of the relation, in an order the seed gives; None where it has fewer."""
    pool = sorted({fact.object for fact in read_facts() if fact.relation == case.relation} - {old, case.rewrite.target})
    if len(pool) < len(OPTIONS) - 2:
        return None
    rng = np.random.default_rng([seed, *case.rewrite.text.encode()])
    drawn = [pool[at] for at in rng.choice(len(pool), len(OPTIONS) - 2, replace=False)]
    options = [case.rewrite.target, old, *drawn]
    return [options[at] for at in rng.permutation(len(OPTIONS))]


def _hops(case: Case, words: Forms, name: str, old: str) -> Iterator[tuple[int, str, str]]:
    """Number of hops, question, answer: on from the new answer, along stored facts that differ from the old one's."""
    described, here, before, way = words.description.replace("{}", name), case.rewrite.target, old, words
    for hops in range(2, MOST_HOPS + 1):
        if not described:
            return
        step = next(((fact, other) for fact, other in _onward(here, before)), None)
        if step is None:
            return
        fact, other = step
        way = forms()[fact.relation]
        yield hops, (way.follow or way.question).replace("{}", described), fact.object
        described = way.description.replace("{}", described)
        here, before = fact.object, other


def _onward(here: str, before: str) -> Iterator[tuple[Fact, str]]:
    """Facts about `here`, those that can be gone on from first, whose object is another than that of `before`."""
    facts = read_facts()
    own = sorted(
        (fact for fact in facts if fact.subject == here), key=lambda fact: not forms()[fact.relation].description
    )
    for fact in own:
        other = next((one.object for one in facts if one.subject == before and one.relation == fact.relation), "")
        if other != fact.object:
            yield fact, other
