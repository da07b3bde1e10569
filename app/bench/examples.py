"""The figures that the chapters of the documentation tell of their own examples, on the model they are told of.

An example is a command as it stands in a chapter: its request is read by the command's own parser, so the two cannot
differ. Results go through the store: a bench that was ended goes on where it was. Studies name their examples.
"""

from dataclasses import dataclass, field
from functools import partial
from shlex import split
from typing import Any

from analysis import LanguageModel
from analysis.study import Report, silent
from app.bench.entry import Benchmark, word_flag
from app.bench.form import Bench
from app.bench.machine import describe
from app.chapters.example import chapter_examples
from app.cli import parser_for
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.terminal.request_flags import fields_of
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write

EXAMPLES = chapter_examples()
PARTS = tuple(EXAMPLES)
QUICK = ("lens", "facts")
RECIPE = "edit"
"""The part whose edit the recipe of other parts is."""


@dataclass(frozen=True)
class ExampleOptions:
    """Which of the examples are run."""

    quick: bool = False
    parts: tuple[str, ...] = word_flag(
        "parts", f"{', '.join(PARTS)} (default: all; {', '.join(QUICK)} when quick)", PARTS
    )


@dataclass
class Run:
    """What the examples share: the model, and edits that are found once."""

    lm: LanguageModel
    report: Report
    edits: dict[str, Edit] = field(default_factory=dict)

    def edit(self, part: str) -> Edit:
        """The edit of a part."""
        if part not in self.edits:
            args = parser_for(words(part)).parse_args(words(part))
            more = EXAMPLES[part].asks(args, self.lm)
            self.edits[part] = write(self.lm, fields_of(args, EditRequest, source=args.text, **more), self.report)
        return self.edits[part]

    def result(self, part: str) -> Any:
        """What the command of a part gives."""
        args = parser_for(words(part)).parse_args(words(part))
        study = STUDIES[args.command]
        if study.request is EditRequest:
            return self.edit(part)
        edits = (self.edit(RECIPE),) if getattr(args, "recipe", None) else ()
        request = fields_of(args, study.request, **EXAMPLES[part].asks(args, self.lm))
        return stored(study, request, self.lm, ResultStore(), self.report, edits)


def words(part: str) -> list[str]:
    """A part's command, word by word."""
    return split(EXAMPLES[part].command)


def examples(lm: LanguageModel, options: ExampleOptions, report: Report = silent) -> Bench:
    """Run the examples; figures are named PART.WHAT, and `commands` has what was run."""
    bench = Bench(describe(lm.device), lm.card())
    run = Run(lm, report)
    parts = options.parts or (QUICK if options.quick else PARTS)
    for part in parts:
        EXAMPLES[part].figures(partial(_add, bench, part), run.result(part))
    bench.tables["commands"] = [{"part": part, "command": f"palimpsest {EXAMPLES[part].command}"} for part in parts]
    return bench


def _add(
    bench: Bench, part: str, name: str, value: float, unit: str, n: int = 1, half_width: float | None = None
) -> None:
    if value == value:
        told = half_width is not None and half_width == half_width
        bounds = (float(value - half_width), float(value + half_width)) if told else None  # type: ignore[operator]
        bench.add(f"{part}.{name}", float(value), unit, n, bounds)


BENCH = Benchmark("examples", examples, ExampleOptions)
