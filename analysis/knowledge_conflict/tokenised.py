"""Conflicts as one model reads them: known, told apart by their first tokens, each with a corrupted twin."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import Fact, choose, in_turn, read_facts
from analysis.knowledge_conflict.prompts import Conflict, Corruption, Format, conflicts_of, generator, read_conflicts
from analysis.knowledge_conflict.result import Example
from analysis.text.tokens import Tokens, answer_token

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TRIES = 40
"""Corrupted twins tried for one of equal length before any length is taken."""


@dataclass(frozen=True)
class Item:
    """A conflict in tokens. Answers are judged by their first tokens."""

    conflict: Conflict
    tokens: Tokens
    clean: Tokens
    memory: int
    context: int
    memories: frozenset[int]  # first tokens of the remembered answer and its aliases

    def example(self, part: str, corrupted: str = "") -> Example:
        """As plain data."""
        one = self.conflict
        return Example(one.id, part, one.relation, one.text, one.memory, one.context, corrupted)


def item_of(lm: "LanguageModel", conflict: Conflict) -> Item:
    """The conflict in tokens; `BadRequest` where both answers begin alike."""
    tokens, clean = lm.encode(conflict.text), lm.encode(conflict.clean)
    memories = [answer_token(lm.tokenizer, tokens, answer) for answer in (conflict.memory, *conflict.aliases)]
    context = answer_token(lm.tokenizer, tokens, conflict.context)
    if context in memories:
        raise BadRequest(
            f"“{conflict.memory}” and “{conflict.context}” begin with the same token, so what the model says first "
            "cannot tell them apart. Choose another answer for the page."
        )
    return Item(conflict, tokens, clean, memories[0], context, frozenset(memories))


def answer_ids(items: Sequence[Item]) -> torch.Tensor:
    """First tokens of remembered and page's answers, (n, 2)."""
    return torch.tensor([[item.memory, item.context] for item in items])


def knows(lm: "LanguageModel", item: Item, at_least: float) -> bool:
    """Whether the clean prompt is answered from memory, with at least this probability."""
    said = lm.next_word(item.clean)
    return int(said.argmax()) in item.memories and float(said[item.memory]) >= at_least


def asked_by(fact: Fact, wording: int) -> Fact:
    """The fact with its paraphrase `wording` (from 1), or its last, for its prompt; the prompt itself for 0.

    Second paraphrases come nearest to the wording that JuICE has: “The capital city of {} is”.
    """
    every = (fact.prompt, *fact.paraphrases)
    chosen = every[min(wording, len(every) - 1)]
    others = tuple(one for one in every if one != chosen)
    return Fact.model_validate(fact.model_dump() | {"prompt": chosen, "paraphrases": others})


class Source:
    """Known conflicts one after another, of facts or of a file, each subject once."""

    def __init__(
        self,
        lm: "LanguageModel",
        relations: Iterable[str],
        form: Format,
        at_least: float,
        seed: int,
        wording: int = 0,
        file: str | None = None,
        known: dict[str, bool] | None = None,
    ):
        """`known`: of prompts that were asked before, whether they are answered from memory; it grows."""
        self.lm, self.at_least = lm, at_least
        self.known = {} if known is None else known
        self.skipped: list[str] = []
        if file:
            made = self._of_file(file, form, seed)
        else:
            made = self._of_facts(
                tuple(asked_by(fact, wording) for fact in choose(read_facts(), relations)), form, seed
            )
        self.made = iter(made)

    def _of_file(self, file: str, form: Format, seed: int) -> list[Conflict]:
        rows = list(read_conflicts(file, form, self.skipped))
        return [rows[i] for i in generator(seed, file).permutation(len(rows))]

    @staticmethod
    def _of_facts(facts: tuple[Fact, ...], form: Format, seed: int) -> list[Conflict]:
        by_relation: dict[str, list[Fact]] = {}
        for fact in facts:
            by_relation.setdefault(fact.relation, []).append(fact)
        mixed = [group[i] for name, group in by_relation.items() for i in generator(seed, name).permutation(len(group))]
        return conflicts_of(in_turn(mixed), facts, form, seed)

    def take(
        self, count: int, used: set[tuple[str, str]], step: Callable[[int], None] = lambda done: None
    ) -> list[Item]:
        """The next `count` known conflicts about subjects not in `used`, which grows by theirs; fewer at the end."""
        found: list[Item] = []
        while len(found) < count and (conflict := next(self.made, None)) is not None:
            who = (conflict.relation, conflict.subject or conflict.id)
            if who in used:
                continue
            step(len(found))
            try:
                item = item_of(self.lm, conflict)
                if conflict.text not in self.known:
                    self.known[conflict.text] = knows(self.lm, item, self.at_least)
                if not self.known[conflict.text]:
                    continue
            except WorkbenchError as error:
                self.skipped.append(f"{conflict.id}: {error}")
                continue
            used.add(who)
            found.append(item)
        return found


def twin(lm: "LanguageModel", item: Item, option: Corruption, seed: int) -> tuple[Conflict, Tokens]:
    """The corrupted prompt of an item, of as many tokens where one can be found.

    Others come from facts of its relation, or of any whose answers include its own. Where heads are patched at the
    last token only, lengths may differ.
    """
    one = item.conflict
    if option in ("both", "subject") and "{s}" not in one.template:
        raise BadRequest(
            f"“{one.text[:60]}…” names no subject to put another in place of. Take the corruption “context”."
        )
    pool = _pool(one)
    random = generator(seed, one.id)
    barred = {one.memory, one.context, *one.aliases}
    others = [fact for fact in pool if fact.subject != one.subject and fact.object not in barred]
    objects = sorted({fact.object for fact in pool} - barred)
    if not objects or not others:
        raise BadRequest(f"There is no other subject or answer to corrupt “{one.text}” with.")
    fallback: tuple[Conflict, Tokens] | None = None
    for _ in range(TRIES):
        other = others[random.integers(len(others))]
        third = objects[random.integers(len(objects))]
        if third == other.object and len(objects) > 1:
            continue
        made = one.corrupted(option, (other.subject, other.object), third)
        tokens = lm.encode(made.text)
        if len(tokens) == len(item.tokens):
            return made, tokens
        fallback = fallback or (made, tokens)
    assert fallback is not None
    return fallback


def _pool(one: Conflict) -> list[Fact]:
    facts = read_facts()
    for relation in (
        one.relation,
        next((fact.relation for fact in facts if (fact.subject, fact.object) == (one.subject, one.memory)), ""),
        next((fact.relation for fact in facts if fact.object == one.memory), ""),
        next((fact.relation for fact in facts if fact.object == one.context), ""),
    ):
        if relation and (own := [fact for fact in facts if fact.relation == relation]):
            return own
    return list(facts)
