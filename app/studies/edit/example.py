"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.chapters.example import BENCH, Add, Example, Rows, unit, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.edit.edit import Edit

KINDS = {"rewrite": "the prompt", "paraphrase": "said otherwise", "neighbour": "neighbour", "other": "of the subject"}


def _edit_figures(add: Add, found: "Edit") -> None:
    for number, probe in enumerate(found.probes):
        for name, answers in (("before", found.before), ("after", found.after)):
            for said, values in (("new", answers.new), ("old", answers.old)):
                add(f"{number}.{name}.{said}", values[number], f"P, {probe.kind}: {probe.prompt}")


def _edit_rows(part: str) -> Callable[[], Rows]:
    def rows() -> Rows:
        numbers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, part)})
        for at in numbers:
            kind, _, prompt = unit(part, f"{at}.before.new").removeprefix("P, ").partition(": ")
            new, old = (
                f"{value(part, f'{at}.before.{said}', 0, 100)} → {value(part, f'{at}.after.{said}', 0, 100)}"
                for said in ("new", "old")
            )
            yield KINDS.get(kind, kind), prompt, new, old

    return rows


def _asks(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    from app.studies.edit.commands.command import facts_of

    return {"facts": facts_of(args)}


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "edit": Example(
            'edit --prompt "{} is located in the city of" --subject "The Eiffel Tower" --target "Rome"',
            ("kind", "prompt", "P(new), %", "P(old), %"),
            _edit_figures,
            _edit_rows("edit"),
            _asks,
        ),
        "edit_memit": Example(
            'edit --prompt "{} is located in the city of" --subject "The Eiffel Tower" --target "Rome" --method memit',
            ("kind", "prompt", "P(new), %", "P(old), %"),
            _edit_figures,
            _edit_rows("edit_memit"),
            _asks,
        ),
    }
