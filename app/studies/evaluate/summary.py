"""What became of edits, in a few lines of text: evaluations, quizzes, streams, abilities, chains."""

import numpy as np

from app.studies.evaluate.report_markdown import spread, with_interval
from app.terminal.text import columns, model_line
from editors.ability_tests.result import CHANCE, AbilitiesResult
from editors.cases.case import counted
from editors.chain_reach.result import ReachResult
from editors.evaluation.result import CONSISTENCY, FLUENCY, PROTOCOLS, SHORT, EvaluateResult, mean_of
from editors.lifelong_editing.result import ASKED, LifelongResult
from editors.quizzes.result import DIMENSIONS, QuizResult


def evaluate_summary(result: EvaluateResult) -> str:
    """For the terminal."""
    kinds, parts = result.there(), [f"{model_line(result.model)}, {counted(len(result.request.cases))}"]
    for protocol, meaning in PROTOCOLS.items():
        means = [[result.mean(at, protocol, kind) for kind in kinds] for at in range(len(result.versions))]
        shown = [column for column in range(len(kinds)) if any(row[column] is not None for row in means)]
        if not shown:
            continue
        rows = [
            (version, *(spread(row[column], protocol) for column in shown))
            for version, row in zip(result.versions, means, strict=True)
        ]
        names = [
            f"{kinds[column]} {SHORT.get(kinds[column], '')}".strip() if protocol == "likelihood" else kinds[column]
            for column in shown
        ]
        counts = [str(max(one.n for row in means if (one := row[column]) is not None)) for column in shown]
        rows.append(("cases", *counts))
        parts.append(f"{protocol}: {meaning}\n{columns(rows, ('method', *names))}")
    scores = [(version, result.score(at)) for at, version in enumerate(result.versions)]
    if any(score is not None for _, score in scores):
        said = ", ".join(f"{version} {100 * score:.1f}" for version, score in scores if score is not None)
        parts.append(f"S (harmonic mean of ES, PS, NS): {said}")
    for name, meaning, values in (
        ("fluency", FLUENCY, result.fluency), ("consistency", CONSISTENCY, result.consistency)
    ):  # fmt: skip
        texts = [(version, mean_of(row)) for version, row in zip(result.versions, values, strict=True)]
        told = [
            (version, with_interval(one.value, one.half_width, 0), one.n) for version, one in texts if one is not None
        ]
        if told:
            parts.append(f"{name}: {meaning}\n{columns(told, ('method', 'texts', 'cases'))}")
    if result.left_out:
        parts.append(f"{counted(len(result.left_out), 'prompt')} this tokenizer cannot read left out.")
    return "\n\n".join([*parts, *result.faults])


def abilities_summary(result: AbilitiesResult) -> str:
    """For the terminal."""
    rows = []
    for group in (*result.there(), None):
        share = result.share(group)
        rows.append((group or "all", spread(share, "likelihood"), share.n if share else 0))
    title = f"{model_line(result.model)}, right by likelihood; chance is {100 * CHANCE:.0f} %"
    parts = [f"{title}\n{columns(rows, ('group', 'right %', 'questions'))}"]
    if result.left_out:
        parts.append(f"{counted(len(result.left_out), 'question')} this tokenizer cannot read left out.")
    return "\n\n".join(parts)


def quiz_summary(result: QuizResult) -> str:
    """For the terminal."""
    asked = len(result.request.cases) - len(result.skipped)
    title = f"{model_line(result.model)}, {counted(asked)}; answered freely, matched word for word"
    dimensions = [
        (version, *(spread(result.mean(at, name), "strict") for name in DIMENSIONS))
        for at, version in enumerate(result.versions)
    ]
    forms = [
        (form, *(spread(result.form_mean(at, form), "strict") for at in range(len(result.versions))))
        for form in result.there()
    ]
    parts = [f"{title}\n{columns(dimensions, ('method', *(f'{name} %' for name in DIMENSIONS)))}"]
    parts.append(f"Form by form, %\n{columns(forms, ('form', *result.versions))}")
    if result.skipped:
        parts.append(f"{counted(len(result.skipped))} not asked: " + "; ".join(result.skipped[:3]) + ".")
    return "\n\n".join([*parts, *result.faults])


def lifelong_summary(result: LifelongResult) -> str:
    """For the terminal."""
    drawdown, rows = result.drawdown(), []
    for at, count in enumerate(result.milestones):
        kept = [spread(result.kept(at, kind), "strict") for kind in ASKED]
        lost = "–" if np.isnan(drawdown[at]) else f"{100 * drawdown[at]:.1f}"
        told = (f"{result.perplexity[at]:.2f}", f"{result.kl[at]:.3f}", f"{100 * result.mute[at]:.0f}")
        able = "–" if np.isnan(result.abilities[at]).all() else f"{100 * np.nanmean(result.abilities[at]):.1f}"
        rows.append((count, *kept, able, lost, *told, f"{result.change[at]:.3f}"))
    head = (
        "edits",
        *(f"{kind} %" for kind in ASKED),
        "abilities %",
        "drawdown %",
        "perplexity",
        "KL",
        "mute %",
        "‖ΔW‖/‖W‖",
    )
    title = f"{model_line(result.model)}, {counted(len(result.request.cases))} in a row with {result.request.method}"
    parts = [f"{title}\nstrict: {PROTOCOLS['strict']}\n{columns(rows, head)}"]
    if (first := result.at_once()) is not None:
        parts.append(f"Right after its own edit a fact is said in {spread(first, 'strict')} % ({counted(first.n)}).")
    ages = [(f"{young} to {old}", spread(mean, "strict"), mean.n) for young, old, mean in result.by_age()]
    if ages:
        parts.append(f"At the end, by age\n{columns(ages, ('edits since', 'still said %', 'cases'))}")
    return "\n\n".join([*parts, *result.faults])


def reach_summary(result: ReachResult) -> str:
    """For the terminal."""
    scores = result.scores()
    means = {name: result.mean(values) for name, values in scores.items()}
    rows = [
        (version, *(with_interval(100 * mean[at][0], 100 * mean[at][1], 0) for mean in means.values()), mean[at][2])
        for at, version in enumerate(result.versions)
        for mean in [next(iter(means.values()))]
    ]
    said = columns(rows, ("method", *(f"{name} %" for name in scores), "cases"))
    return "\n\n".join(
        [f"{model_line(result.model)}, {counted(len(result.request.cases), 'chain')}\n{said}", *result.faults]
    )
