"""Stored facts with another answer each, for what is measured on facts in general before one is written."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from analysis.errors import WorkbenchError
from analysis.facts.facts import another_object, in_turn, read_facts
from editors.edit.request import Rewrite
from editors.methods.search.token_rows import Row, rows_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def stored_rewrites(lm: "LanguageModel", count: int, before: Sequence[str] = ()) -> tuple[list[Rewrite], list[Row]]:
    """The first so many that this tokenizer can place, relations in turn, and their rows behind the texts `before`."""
    facts = list(islice(_placed(lm, before), count))
    return facts, rows_of(lm, facts, before)


def _placed(lm: "LanguageModel", before: Sequence[str]) -> Iterator[Rewrite]:
    for fact in in_turn(read_facts()):
        with suppress(WorkbenchError):
            own = Rewrite.of(fact, another_object(fact))
            rows_of(lm, [own], before)
            yield own
