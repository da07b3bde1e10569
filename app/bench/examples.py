"""The figures that the chapters of the documentation tell of their own examples, on the model they are told of.

An example is a command as it stands in a chapter: its request is read by the command's own parser, so the two cannot
differ. Results go through the store: a bench that was ended goes on where it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from shlex import split
from typing import Any

import numpy as np

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    LanguageModel,
    LensResult,
    NeuronsResult,
    TraceResult,
)
from analysis.facts.run import KnownResult
from analysis.internals.head_names import parse_head
from analysis.multihop.result import ASKED
from analysis.study import Report, silent
from app.bench.entry import Benchmark, word_flag
from app.bench.form import Bench
from app.bench.machine import describe
from app.cli import parser_for
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.studies.conflict.table import outcome_row
from app.studies.edit.command import facts_of
from app.studies.reach.command import chain_cases
from app.terminal.case_flags import cases_said, some_of
from app.terminal.request_flags import fields_of
from editors.ability_tests.result import AbilitiesResult
from editors.attention_drift.result import DriftResult
from editors.chain_reach.result import ReachResult
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.evaluation.result import Mean
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import ASKED as KEPT
from editors.lifelong_editing.result import LifelongResult
from editors.methods.run import write
from editors.quizzes.result import DIMENSIONS, QuizResult

EIFFEL = '--prompt "The Eiffel Tower is located in the city of"'
ROME = '--prompt "{} is located in the city of" --subject "The Eiffel Tower" --target "Rome"'
BEHIND = '--prompt "The Eiffel Tower is located in the city of Rome. The Louvre is located in the city of"'
FRANCE = '--prompt "The capital of France is Rome. The capital of France is"'
COMMANDS = {
    "trace": f'trace {EIFFEL} --subject "The Eiffel Tower"',
    "lens": f"lens {EIFFEL}",
    "facts": "facts --at-least 0.3",
    "abilities": "abilities",
    "hops": "hops --limit 20",
    "heads": f"heads {FRANCE} --subject France --context Rome",
    "knockout": "knockout --n 4",
    "edit": f"edit {ROME}",
    "edit_memit": f"edit {ROME} --method memit",
    "drift": f'drift --recipe rome.json --grids heads {BEHIND} --subject "The Eiffel Tower"',
    "layers": f"layers {ROME}",
    "lifelong": "lifelong --known --n 20 --method memit",
    "neurons": 'neurons --prompt "The capital of France is" --draws 1 --counts 1,10,100',
    "conflict": "conflict --find 6 --validation 3 --test 6 --ks 1,3 --draws 5",
    "reach": "reach --limit 3 --methods rome,memit",
    "quiz": "quiz --n 3 --methods rome",
    "average": "average --facts 50 --samples 3",
}
"""What is run, a part each; a recipe is the edit of the part edit."""
PARTS = tuple(COMMANDS)
QUICK = ("lens", "facts")


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
            request = fields_of(args, EditRequest, facts=facts_of(args), source=args.text)
            self.edits[part] = write(self.lm, request, self.report)
        return self.edits[part]

    def result(self, part: str) -> Any:
        """What the command of a part gives."""
        if part.startswith("edit"):
            return self.edit(part)
        args = parser_for(words(part)).parse_args(words(part))
        study = STUDIES[args.command]
        more: dict[str, Any] = {}
        if "cases" in study.request.model_fields:
            of_chains = args.command == "reach"
            more["cases"] = chain_cases(args) if of_chains else some_of(args, cases_said(args), self.lm)
        if hasattr(args, "target") and hasattr(args, "facts"):
            more["facts"] = facts_of(args)
        edits = (self.edit("edit"),) if getattr(args, "recipe", None) else ()
        return stored(study, fields_of(args, study.request, **more), self.lm, ResultStore(), self.report, edits)


def words(part: str) -> list[str]:
    """A part's command, word by word."""
    return split(COMMANDS[part])


def examples(lm: LanguageModel, options: ExampleOptions, report: Report = silent) -> Bench:
    """Run the examples; figures are named PART.WHAT, and `commands` has what was run."""
    bench = Bench(describe(lm.device), lm.card())
    run = Run(lm, report)
    parts = options.parts or (QUICK if options.quick else PARTS)
    for part in parts:
        TOLD[part](partial(_add, bench, part), run.result(part))
    bench.tables["commands"] = [{"part": part, "command": f"palimpsest {COMMANDS[part]}"} for part in parts]
    return bench


Add = Callable[..., None]


def _add(
    bench: Bench, part: str, name: str, value: float, unit: str, n: int = 1, half_width: float | None = None
) -> None:
    if value == value:
        told = half_width is not None and half_width == half_width
        bounds = (float(value - half_width), float(value + half_width)) if told else None  # type: ignore[operator]
        bench.add(f"{part}.{name}", float(value), unit, n, bounds)


def _mean(add: Add, name: str, found: Mean | None) -> None:
    if found is not None:
        add(name, 100 * found.value, "%", found.n, 100 * found.half_width)


def _trace(add: Add, found: TraceResult) -> None:
    add("clean", found.high, "P(answer)")
    add("blurred", found.low, "P(answer)", found.request.samples)
    samples = found.samples("state")
    for name, tokens in (("subject", range(*found.subject)), ("last", [len(found.tokens) - 1])):
        own = found.scores("state")[:, tokens]
        layer, at = np.unravel_index(own.argmax(), own.shape)
        cell = samples[:, layer, tokens[at]]
        half = 1.96 * float(cell.std(ddof=1)) / np.sqrt(len(cell))
        add(f"{name}.layer", float(layer), f"layer, token {tokens[at]}")
        add(f"{name}.repaired", float(own.max()), "P(answer)", len(cell), half)


def _lens(add: Add, found: LensResult) -> None:
    for layer in range(len(found.lens.answer_rank)):
        add(f"{layer}.probability", found.lens.answer_probability[layer, -1], "P(answer)")
        add(f"{layer}.rank", int(found.lens.answer_rank[layer, -1]) + 1, "place among all words")


def _facts(add: Add, found: KnownResult) -> None:
    add("known", len(found.known(0.3)), "facts with P > .3", len(found.ids))


def _abilities(add: Add, found: AbilitiesResult) -> None:
    for group in (*found.there(), None):
        _mean(add, group or "all", found.share(group))


def _hops(add: Add, found: HopsResult) -> None:
    n = len(found.chains)
    for name, right in zip(ASKED, found.correct.T, strict=True):
        add(name, int(right.sum()), "chains right", n)
    add("any_wording", int(found.whole_correct.any(1).sum()), "chains right", n)
    add("genuine", int(found.genuine().sum()), "chains right, by no shortcut", n)


def _heads(add: Add, found: HeadsResult) -> None:
    for at, name in enumerate(("memory", "page")):
        add(f"without_page.{name}", found.clean_probability[at], "P")
        for silent_heads in range(len(found.grid_probability)):
            add(f"silent{silent_heads}.{name}", found.grid_probability[silent_heads, 0, at], "P")
    for side, names in (("memory", found.memory_heads), ("page", found.context_heads)):
        for name in names[:3]:
            add(f"{side}.{name}", found.scores.balance()[parse_head(name)], "S_c − S_m")


def _knockout(add: Add, found: KnockoutResult) -> None:
    for cut, change, half in zip(found.cuts, found.change, found.half_width, strict=True):
        for at, side in enumerate(("memory", "page")):
            worst = int(change[:, at].argmin())
            add(f"{cut}.{side}", 100 * change[worst, at], "% of P", len(found.examples), 100 * half[worst, at])
            add(f"{cut}.{side}.layer", worst, "layer")


def _edit(add: Add, found: Edit) -> None:
    for number, probe in enumerate(found.probes):
        for name, answers in (("before", found.before), ("after", found.after)):
            for said, values in (("new", answers.new), ("old", answers.old)):
                add(f"{number}.{name}.{said}", values[number], f"P, {probe.kind}: {probe.prompt}")


def _drift(add: Add, found: DriftResult) -> None:
    for at, name in enumerate(("before", "after")):
        add(f"{name}.answer", found.said.answer[at], f"P({found.answer.strip()})")
        add(f"{name}.edited", found.said.edited[at], f"P({found.edited.strip()})")
    for layer, head in found.strongest(3):
        add(f"{layer}.{head}.drift", found.drift[layer, head], "of attention")
        add(f"{layer}.{head}.set_back", found.grids["heads"][0, layer, head], f"P({found.answer.strip()})")


def _layers(add: Add, found: LayersResult) -> None:
    score, effect, n = found.mean(found.score)[0], found.mean(found.effect)[0], len(found.request.facts)
    for at, layer in enumerate(found.layers):
        add(f"{layer}.score", score[at], "rewrite score", n)
        add(f"{layer}.effect", effect[layer], "P(answer) brought back", n)
        for kind in ("paraphrase", "neighbour"):
            add(f"{layer}.{kind}", 100 * found.mean(found.likelier[kind])[0][at], "% likelier", n)
    add("correlation", found.correlation(), "Pearson, rewrite score and effect", len(found.layers))


def _lifelong(add: Add, found: LifelongResult) -> None:
    for row, count in enumerate(found.milestones):
        for kind in KEPT:
            _mean(add, f"{count}.{kind}", found.kept(row, kind))
        add(f"{count}.perplexity", found.perplexity[row], "on text of its own")
        add(f"{count}.abilities", 100 * np.nanmean(found.abilities[row]), "% right", len(found.groups))


def _neurons(add: Add, found: NeuronsResult) -> None:
    add("clean", found.probability, "P(answer)")
    for name, values in (("attention", found.attn_layer), ("MLPs", found.mlp_layer)):
        add(f"{name}.gain", float(values.sum()), "nats")
        add(f"{name}.layer", int(values.argmax()), "layer")
    for one in found.ablations:
        for count, probability, drawn in zip(one.counts, one.probability, one.random.T, strict=True):
            add(f"{one.role}.{count}", float(probability), "P(answer)")
            add(f"{one.role}.{count}.random", float(np.mean(drawn)) if len(drawn) else np.nan, "P(answer)", len(drawn))


def _conflict(add: Add, found: ConflictResult) -> None:
    for one in found.outcomes:
        row = outcome_row(one)
        for name in ("RM", "RC", "clean_accuracy"):
            add(f"{one.treatment}.{one.side or 'none'}.{one.k}.{name}", row[name], "share", one.n)


def _reach(add: Add, found: ReachResult) -> None:
    for metric, values in found.scores().items():
        for version, (mean, half, n) in zip(found.versions, found.mean(values), strict=True):
            add(f"{version}.{metric}", 100 * mean, "%", n, 100 * half)


def _quiz(add: Add, found: QuizResult) -> None:
    for at, version in enumerate(found.versions):
        for name in DIMENSIONS:
            _mean(add, f"{version}.{name}", found.mean(at, name))


def _average(add: Add, found: AverageResult) -> None:
    add("total_effect", 100 * found.total_effect[0], "points", len(found.ids), 100 * found.total_effect[1])
    for kind in found.mean:
        for row in ("last subject token", "last token"):
            layer, mean, half = found.peak(kind, row)
            add(f"{kind}.{row}", 100 * mean, "points", len(found.ids), 100 * half)
            add(f"{kind}.{row}.layer", layer, "layer")


TOLD: dict[str, Callable[[Add, Any], None]] = {
    "trace": _trace,
    "lens": _lens,
    "facts": _facts,
    "abilities": _abilities,
    "hops": _hops,
    "heads": _heads,
    "knockout": _knockout,
    "edit": _edit,
    "edit_memit": _edit,
    "drift": _drift,
    "layers": _layers,
    "lifelong": _lifelong,
    "neurons": _neurons,
    "conflict": _conflict,
    "reach": _reach,
    "quiz": _quiz,
    "average": _average,
}


BENCH = Benchmark("examples", examples, ExampleOptions)
