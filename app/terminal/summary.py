"""Results in a few lines of text: the baseline, a map in shades, the strongest places."""

from functools import singledispatch
from typing import Any

import numpy as np

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    LensResult,
    NeuronsResult,
    TraceResult,
    TransferResult,
)
from analysis.multihop.result import ASKED, PLACES
from analysis.tracing.average_result import ROWS
from app.exports.tables import table
from app.studies.conflict import summary as conflict_summary
from app.studies.evaluate import summary as evaluation_summary
from app.terminal.text import columns, model_line, shades, word
from editors.ability_tests.result import AbilitiesResult
from editors.attention_drift.result import PATCHED, DriftResult, DriftsResult, PatchResult, Said
from editors.cases.case import counted
from editors.chain_reach.result import ReachResult
from editors.evaluation.result import EvaluateResult
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult

STRONGEST = 5


@singledispatch
def summary(result: Any) -> str:
    """A result for the terminal; `TypeError` for what is no result."""
    raise TypeError(f"There is no summary for {type(result).__name__}.")


@summary.register
def _trace(result: TraceResult) -> str:
    request = result.request
    if result.sigma is None:
        how = f"with “{(result.replacement or '').strip()}” in place of “{request.subject}”"
    else:
        samples = "1 sample" if request.samples == 1 else f"{request.samples} samples"
        noise = f"{request.noise:g} σ (σ = {result.sigma:.4g}, {samples})"
        how = f"with “{request.subject}” under noise of {noise}"
    parts = [
        f"{model_line(result.model)}\n"
        f"“{word(result.answer)}”: probability {result.high:.3f} clean, {result.low:.3f} {how}."
    ]
    computed, asked = result.cells
    if computed < asked:
        parts.append(f"{computed} of {asked} cells computed.")
    parts += [_kind(result, kind) for kind in result.grids]
    return "\n\n".join(parts)


def _kind(result: TraceResult, kind: str) -> str:
    scores, low, high = result.scores(kind), result.low, result.high
    begin, end = result.subject
    layers = len(scores)
    width = f", windows of {result.grids[kind].window} layers" if kind in ("mlp", "attn") else ""
    title = (
        f"{kind}: probability with one place repaired{width}; "
        f"layers 0 to {layers - 1} across, ▁ is {low:.3f}, █ is {high:.3f}"
    )
    rows = [
        (f"{word(label)}{'*' if begin <= token < end else ''}", f"│{shades(scores[:, token], low, high)}│")
        for token, label in enumerate(result.tokens)
    ]
    cells = table(result).query("kind == @kind").nlargest(STRONGEST, "effect")
    strongest = [
        (cell.layer, word(cell.token), cell.probability, f"± {cell.half_width_95:.3f}", word(cell.top_1))
        for cell in cells.itertuples()
    ]
    return f"{title}\n{columns(rows)}\n\n{columns(strongest, ('layer', 'token', 'probability', '95 %', 'says'))}"


@summary.register
def _average(result: AverageResult) -> str:
    effect, half_width = result.total_effect
    parts = [
        f"{model_line(result.model)}\n{len(result.ids)} known facts; blurring the subject takes "
        f"{effect:.3f} ± {half_width:.3f} from the probability of the answer "
        f"({result.high.mean():.3f} to {result.low.mean():.3f})."
    ]
    if result.skipped:
        parts.append(f"{counted(len(result.skipped), 'fact')} left out; the JSON file says why.")
    for kind, mean in result.mean.items():
        top = float(np.nanmax(mean)) if not np.isnan(mean).all() else 0.0
        rows = []
        for row, name in enumerate(ROWS):
            if np.isnan(mean[row]).all():
                continue
            layer, peak, width = result.peak(kind, name)
            rows.append((name, f"│{shades(mean[row], 0, top)}│", f"{peak:+.3f} ± {width:.3f} at layer {layer}"))
        parts.append(f"{kind}: mean effect of a repair; layers across, █ is {top:.3f}\n{columns(rows)}")
    return "\n\n".join(parts)


@summary.register
def _lens(result: LensResult) -> str:
    lens = result.lens
    rows = [
        (
            layer,
            " ".join(word(result.words[str(int(token))]) for token in lens.top_ids[layer, -1]),
            lens.answer_probability[layer, -1],
            int(lens.answer_rank[layer, -1]),
        )
        for layer in range(len(lens.answer_rank))
    ]
    head = ("layer", f"words at “{word(result.tokens[-1])}”", f"P({word(result.answer)})", "rank")
    return f"{model_line(result.model)}\n{columns(rows, head)}"


HOP_WORDS = {
    "first": "the first hop alone",
    "second": "the second hop alone",
    "whole": "both in one question",
    "without_subject": "the question without its subject",
    "without_first_hop": "the second hop asked of the subject",
}


@summary.register
def _neurons(result: NeuronsResult) -> str:
    gained = result.end - result.start
    parts = [
        f"{model_line(result.model)}\n"
        f"“{word(result.answer)}”: probability {result.probability:.3f}; attention raises its "
        f"log-probability by {result.attn_layer.sum():.2f}, MLPs by {result.ffn_layer.sum():.2f}, {gained:.2f} in all. "
        f"{result.scored} of {result.ffn.size} MLP neurons scored."
    ]
    layers = [
        (
            name,
            f"│{shades(np.maximum(values, 0), 0, float(max(values.max(), 1e-9)))}│",
            f"most at layer {values.argmax()}",
        )
        for name, values in (("attention", result.attn_layer), ("MLP", result.ffn_layer))
    ]
    parts.append(f"gain by layer\n{columns(layers)}")
    for role, cards in (("value", result.value), ("query", result.query)):
        rows = [
            (card.name, word(result.tokens[card.token]), card.score, card.zeroed, " ".join(map(word, card.promotes)))
            for part in ("ffn", "attn")
            for card in [one for one in cards if one.part == part][:STRONGEST]
        ]
        parts.append(columns(rows, (f"{role} neuron", "at", "score", "zeroed", "promotes")))
    for one in result.ablations:
        lines = [
            (count, p, float(np.mean(control)) if len(control) else "–")
            for count, p, control in zip(one.counts, one.probability, one.random.T, strict=True)
        ]
        parts.append(columns(lines, (f"{one.role} neurons off", f"P({word(result.answer)})", "as many at random")))
    if (agreement := result.agreement()) is not None:
        parts.append(
            f"Integrated gradients agree with these scores by a rank correlation of {agreement[0]:.2f}; "
            f"{agreement[1]:.0%} of the first 100 are the same."
        )
    if (agreed := result.tokens_agree()) is not None:
        words = zip(map(word, result.tokens), result.tokens_ablated, result.tokens_integrated, strict=True)
        parts.append(columns(list(words), ("token", "replaced", "integrated")))
        parts.append(
            f"What tokens add agrees by a correlation of {agreed:.2f}; the integrated parts add to "
            f"{result.tokens_integrated.sum():.2f} of {result.tokens_gain:.2f}."
        )
    return "\n\n".join([*parts, *result.notes])


@summary.register
def _hops(result: HopsResult) -> str:
    n = len(result.chains)
    rows = [
        (HOP_WORDS[name], int(right.sum()), f"{right.mean():.0%}")
        for name, right in zip(ASKED, result.correct.T, strict=True)
    ]
    rows.append(("both in one question, any wording", int(result.whole_correct.any(1).sum()),
                 f"{result.whole_correct.any(1).mean():.0%}"))  # fmt: skip
    parts = [f"{model_line(result.model)}, {n} chains\n{columns(rows, ('asked', 'right', ''))}"]
    parts.append(
        f"{int(result.both().sum())} chains with both hops known; {int(result.genuine().sum())} of them answered whole "
        "and not by a shortcut."
    )
    lines = []
    for number, name in enumerate(PLACES):
        mean = result.recall[:, number].mean(0)
        low, high = float(mean.min()), float(mean.max())
        lines.append((name, f"│{shades(mean, low, high)}│", f"{low:.1f} to {high:.1f}"))
    parts.append(f"mean log-probability by layer (lens)\n{columns(lines)}")
    if result.skipped:
        parts.append(f"{counted(len(result.skipped), 'chain')} that could not be asked; the JSON file says why.")
    return "\n\n".join(parts)


@summary.register
def _drift(result: DriftResult) -> str:
    where = word(result.tokens[result.key])
    layers, heads = result.drift.shape
    top = max(float(np.abs(result.drift).max()), 1e-9)
    rows = [(f"head {head}", f"│{shades(result.drift[:, head], 0, top)}│") for head in range(heads)]
    before, after = (run[:, :, -1, result.key] for run in (result.before, result.after))
    grid = result.grids.get("heads")
    strongest = [
        (
            f"{layer}.{head}",
            float(before[layer, head]),
            float(after[layer, head]),
            "–" if grid is None else float(grid[0, layer, head]),
            "–" if grid is None else float(grid[1, layer, head]),
        )
        for layer, head in result.strongest(STRONGEST)
    ]
    answers = (word(result.answer), word(result.edited))
    head = ("head", "before", "after", *(f"P({answer}) with it set back" for answer in answers))
    parts = [
        f"{model_line(result.model)}\n“{result.request.prompt}”",
        _runs(result.said, answers, ("without the edits", "with them")),
        f"Attention of the last token to “{where}”, more with the edits; layers 0 to {layers - 1} across, "
        f"█ is {top:.3f}\n" + columns(rows),
        columns(strongest, head) if strongest else "No head turned to the subject.",
    ]
    for kind, says in GRID_WORDS.items():
        if kind in result.grids:
            own = result.grids[kind][0]
            best = np.unravel_index((own.argmax() if kind == "layers" else own.argmin()), own.shape)
            at = f" at “{word(result.tokens[int(best[1])])}”" if len(best) > 1 else ""
            parts.append(
                f"{says.format(window=result.window[kind])}: P({answers[0]}) is {own[best]:.3f} at layer "
                f"{int(best[0])}{at}."
            )
    return "\n\n".join(parts)


GRID_WORDS = {
    "layers": "Attention of {window} layers set back, best window",
    "mlp": "MLP outputs of {window} layers put into the run without edits, worst place",
    "attn": "attention outputs of {window} layers put into the run without edits, worst place",
}


def _runs(said: Said, answers: tuple[str, str], runs: tuple[str, ...]) -> str:
    rows = [(run, float(said.answer[i]), float(said.edited[i])) for i, run in enumerate(runs)]
    return columns(rows, ("", *(f"P({answer})" for answer in answers)))


@summary.register
def _patch(result: PatchResult) -> str:
    answers = (word(result.answer), word(result.edited))
    heads = ", ".join(result.request.heads) or "no heads"
    runs = ("without the edits", "with them", f"{heads} set back")
    return f"{model_line(result.model)}\n“{result.request.prompt}”\n{_runs(result.said, answers, runs)}"


@summary.register
def _drifts(result: DriftsResult) -> str:
    parts = [model_line(result.model)]
    rows: list[tuple[object, ...]] = []
    for task in result.request.tasks:
        own = result.of(task)
        if not own.any():
            continue
        found = result.correlation(task)
        rows.append(
            (
                task,
                int(own.sum()),
                int(result.failing[own].sum()),
                float(result.factor[own].mean()),
                float(result.lost[own].mean()),
                f"{found.r:.2f} ({found.low:.2f} to {found.high:.2f})" if found.r == found.r else "too few",
            )
        )
    parts.append(columns(rows, ("task", "prompts", "fail", "drift", "probability lost", "correlation (95 %)")))
    failing = result.failing
    if failing.any():
        means = result.first[failing].mean(0)
        backs = [(run, float(mean)) for run, mean in zip(PATCHED, means, strict=True)]
        parts.append(columns(backs, (f"the {int(failing.sum())} that fail", "P(right answer)")))
    if result.skipped:
        parts.append(f"{counted(len(result.skipped), 'prompt')} left out; the JSON file says why.")
    return "\n\n".join(parts)


@summary.register
def _layers(result: LayersResult) -> str:
    facts = table(result)
    rows = [
        (
            row.layer,
            f"{row.rewrite_score:.2f} ± {row.rewrite_score_half_width_95:.2f}",
            *(_share(getattr(row, f"{kind}_greedy")) for kind in ("rewrite", "paraphrase", "neighbour")),
            f"{row.trace_effect:+.3f}",
        )
        for row in facts.itertuples()
    ]
    head = ("layer", "rewrite score", "follows", "said otherwise", "neighbours kept", "trace effect")
    count = "One fact" if len(result.request.facts) == 1 else f"{len(result.request.facts)} facts"
    between = result.correlation()
    said = f"Rewrite score and trace effect agree with r = {between:.2f}. " if between == between else ""
    return (
        f"{model_line(result.model)}\n{count} written with {result.request.method} at one layer after another.\n"
        f"{columns(rows, head)}\n{said}Shares are of prompts whose wanted answer is said."
    )


def _share(value: float) -> str:
    return "–" if value != value else f"{value:.0%}"


for _result, _text in (
    (HeadsResult, conflict_summary.heads_summary),
    (ConflictResult, conflict_summary.conflict_summary),
    (KnockoutResult, conflict_summary.knockout_summary),
    (TransferResult, conflict_summary.transfer_summary),
    (EvaluateResult, evaluation_summary.evaluate_summary),
    (AbilitiesResult, evaluation_summary.abilities_summary),
    (QuizResult, evaluation_summary.quiz_summary),
    (LifelongResult, evaluation_summary.lifelong_summary),
    (ReachResult, evaluation_summary.reach_summary),
):
    summary.register(_result, _text)
