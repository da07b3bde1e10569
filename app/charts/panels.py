"""What a result shows: its figures with their titles and captions, for everything that leaves the app.

A result without an entry has no figure, only its table; the export row, the HTML file and the command line ask here.
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import plotly.graph_objects as go

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    LensResult,
    NeuronsResult,
    TraceResult,
)
from analysis.internals.scores import Metric
from app.charts import captions
from app.charts.bars import word_bars
from app.charts.marked import escape
from app.charts.palette import Palette
from app.charts.words import percent, word
from app.studies.conflict import figure as conflict_charts
from app.studies.drift import figure as drift_maps
from app.studies.edit import figure as edit_charts
from app.studies.evaluate import figure as evaluate_dots
from app.studies.evaluate.words import NAMES, PROTOCOL_WORDS
from app.studies.hops import figure as hop_charts
from app.studies.layers import figure as layer_outcome
from app.studies.lens import figure as lens_map
from app.studies.lifelong import figure as lifelong_curves
from app.studies.neurons import figure as neuron_charts
from app.studies.neurons import neuron_graph
from app.studies.trace import average_figure
from app.studies.trace import figure as trace_maps
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted
from editors.edit.edit import Edit
from editors.evaluation.result import EvaluateResult, Protocol
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult

MOST_CHAINS = 6
"""Chains whose curves are drawn; of more the first."""
ROADS = ("last → subject", "last → page’s answer", "last → other words")


@dataclass(frozen=True)
class Panel:
    """One figure: `title` and `note` in the Markdown of the pages, `beside` how many such stand side by side."""

    title: str
    figure: go.Figure
    note: str = ""
    beside: int = 1


@singledispatch
def panels(result: Any, palette: Palette, **shown: str) -> list[Panel]:
    """All figures of a result, none for one that is a table only.

    `shown`: of kinds that a page shows in one of several ways, that way; all of them where it is left out.
    """
    return []


@singledispatch
def caption(result: Any, **shown: str) -> str:
    """What stands under all figures of a result together."""
    return ""


def pictured(kind: type) -> bool:
    """Whether results of this kind have figures."""
    return panels.dispatch(kind) is not panels.dispatch(object)


@panels.register
def _(result: TraceResult, palette: Palette, *, metric: Metric = "probability") -> list[Panel]:
    top = trace_maps.shared_top([result], metric)
    return [
        Panel(trace_maps.TITLES[kind], trace_maps.trace_map(result, kind, palette, top=top, metric=metric), beside=3)
        for kind in result.grids
    ]


@caption.register
def _(result: TraceResult, *, metric: Metric = "probability") -> str:
    return captions.trace(result, metric)


@panels.register
def _(result: AverageResult, palette: Palette) -> list[Panel]:
    top, found = average_figure.shared_top(result), []
    for kind in result.mean:
        title, sites = trace_maps.TITLES[kind], captions.average_sites(result, kind)
        found.append(Panel(title, average_figure.average_map(result, kind, palette, top=top), sites, beside=2))
        curves = average_figure.average_curves(result, kind, palette, top=top)
        found.append(Panel(f"{title}, as curves", curves, beside=2))
    return found


@caption.register
def _(result: AverageResult) -> str:
    return captions.average(result)


@panels.register
def _(result: LensResult, palette: Palette) -> list[Panel]:
    return [Panel("", lens_map.lens_map(result, palette, tokens=range(len(result.tokens))))]


@caption.register
def _(result: LensResult) -> str:
    return captions.lens(result)


@panels.register
def _(result: Edit, palette: Palette) -> list[Panel]:
    found = _before_and_after(result, palette)
    if result.found.loss.size:  # silenced heads: nothing was sought
        found.append(
            Panel("How the new answer was found", edit_charts.search_of(result, palette), captions.search(result), 2)
        )
        size = edit_charts.scraped(result.changes, result.model["layers"], palette)
        found.append(Panel("How much of the page was scraped", size, captions.scraped(result), 2))
    return found


def _before_and_after(edit: Edit, palette: Palette) -> list[Panel]:
    if (glance := edit.glance) is None:
        return []
    limit = float(max(glance.before.max(), glance.after.max()))
    wanted = edit.request.facts[0].target
    new = next((name for name in glance.words if wanted.startswith(name)), wanted)
    found = []
    for label, colour, answers, values in (
        ("Before", "blue", edit.before, glance.before),
        ("After", "orange", edit.after, glance.after),
    ):
        shares = [float(value) for value in values]
        bars = word_bars(glance.words, shares, palette, before=glance.words[0], after=new, limit=limit)
        said = f":{colour}[{escape(answers.said[0])}] {percent(float(answers.said_probability[0]))}"
        found.append(Panel(f"{label}: {said}", bars, beside=2))
    return found


@panels.register
def _(result: LayersResult, palette: Palette) -> list[Panel]:
    return [Panel("", layer_outcome.layer_outcome(result, palette))]


@caption.register
def _(result: LayersResult) -> str:
    return captions.layers(result)


@panels.register
def _(result: NeuronsResult, palette: Palette) -> list[Panel]:
    found = [
        Panel("From the words to the answer", neuron_graph.pathway(result, palette), captions.pathway()),
        Panel("What each layer adds", neuron_charts.layer_gains(result, palette), captions.gains(result)),
    ]
    if result.tokens_ablated.size:
        found.append(
            Panel("What each word adds", neuron_charts.token_bars(result, palette), captions.word_gains(result))
        )
    off = [one for one in result.ablations if one.counts]
    for number, one in enumerate(off, start=1):
        note = captions.ablations(result) if number == len(off) else ""
        title = f"Switched off together: {one.role} neurons"
        found.append(Panel(title, neuron_charts.ablation_curves(result, one, palette), note, beside=2))
    return found


@panels.register
def _(result: HopsResult, palette: Palette) -> list[Panel]:
    found = []
    for number in range(min(len(result.chains), MOST_CHAINS)):
        of = f": {escape(result.chains[number].whole())} …" if len(result.chains) > 1 else ""
        recall = hop_charts.recall_curves(result, palette, number)
        found.append(Panel(f"Where the middle can be read{of}", recall, captions.recall(result, number), 2))
        if result.was_cut(number):
            cut = hop_charts.cut_curves(result, palette, number)
            found.append(Panel("What the last word must look at", cut, captions.cuts(result), 2))
    return found


@caption.register
def _(result: HopsResult) -> str:
    most = len(result.chains) > MOST_CHAINS
    return f":gray[:small[The first {MOST_CHAINS} of {len(result.chains)} chains.]]" if most else ""


@panels.register
def _(result: DriftResult, palette: Palette) -> list[Panel]:
    found = [Panel("Attention to the subject", drift_maps.drift_map(result, palette), captions.DRIFT)]
    if "layers" in result.grids:
        title = "Is it attention that breaks it?"
        found.append(Panel(title, drift_maps.window_curve(result, palette), captions.drift_window(result)))
    top = drift_maps.substitution_top(result)
    for kind in ("mlp", "attn"):
        if kind in result.grids:
            figure = drift_maps.substitution_map(result, kind, palette, top=top)
            note = captions.drift_substitution(result, kind)
            found.append(Panel(drift_maps.GRID_TITLES[kind], figure, note, beside=2))
    return found


@panels.register
def _(result: DriftsResult, palette: Palette) -> list[Panel]:
    more = f"Mean over {counted(len(result.prompt), 'prompt')}."
    said = f"{captions.drift_correlation(result)} ● same subject, ◇ neighbour after the edit."
    return [
        Panel("Attention to the subject", drift_maps.mean_drift_map(result, None, palette), f"{captions.DRIFT} {more}"),
        Panel("Drift and what is lost", drift_maps.correlation_plot(result, palette), said),
    ]


@panels.register
def _(result: HeadsResult, palette: Palette) -> list[Panel]:
    words = result.spans(result.grid_top_ids[0, 0])
    values = [float(value) for value in result.grid_top[0, 0]]
    memory, page = (conflict_charts.begun(words, answer) for answer in (result.memory, result.context))
    ranked = result.request.rank_by
    return [
        Panel("", conflict_charts.conflict_map(result.scores, palette, rank_by=ranked), captions.heads(result.scores)),
        Panel(
            "What it says, nothing silenced", word_bars(words, values, palette, before=memory, after=page),
            f"The model remembers :blue[{escape(word(result.memory))}]; the page in front of it says "
            f":orange[{escape(word(result.context))}].",
        ),
    ]  # fmt: skip


@panels.register
def _(result: ConflictResult, palette: Palette) -> list[Panel]:
    ranked = result.request.rank_by
    found = [
        Panel("", conflict_charts.conflict_map(result.scores, palette, rank_by=ranked), captions.heads(result.scores))
    ]
    if rows := conflict_charts.every_share(result):
        title = "Share of answers :blue[from memory], something else, :orange[from the page]"
        found.append(Panel(title, conflict_charts.share_bars(rows, palette), captions.shares(result)))
    return found


@panels.register
def _(result: KnockoutResult, palette: Palette) -> list[Panel]:
    titles = ("The :blue[remembered] answer", "The :orange[page’s] answer")
    return [
        Panel(title, conflict_charts.knockout_curves(result, ROADS, side, palette), beside=2)
        for side, title in enumerate(titles)
    ]


@caption.register
def _(result: KnockoutResult) -> str:
    return captions.knockout(result)


@panels.register
def _(result: EvaluateResult, palette: Palette, *, protocol: Protocol | None = None) -> list[Panel]:
    return [
        Panel(
            PROTOCOL_WORDS[one], evaluate_dots.evaluate_dots(result, one, NAMES, palette),
            captions.evaluate(result, one),
        )
        for one in ([protocol] if protocol else PROTOCOL_WORDS)
        if evaluate_dots.shown(result, one)
    ]  # fmt: skip


@panels.register
def _(result: QuizResult, palette: Palette, *, by: str = "") -> list[Panel]:
    return [
        Panel(f"By {way}", evaluate_dots.quiz_dots(result, NAMES, palette, by_form=way == "form"))
        for way in ([by] if by else ("dimension", "form"))
    ]


@caption.register
def _(result: QuizResult, **shown: str) -> str:
    return captions.quiz(result)


@panels.register
def _(result: LifelongResult, palette: Palette) -> list[Panel]:
    found = [Panel("What is left as edits go on", lifelong_curves.retention_curves(result, palette), beside=2)]
    if result.by_age():
        found.append(Panel("At the end, by age", lifelong_curves.age_bars(result, palette), beside=2))
    return found


@caption.register
def _(result: LifelongResult) -> str:
    return captions.lifelong(result)
