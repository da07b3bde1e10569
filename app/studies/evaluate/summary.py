"""Evaluations and abilities in a few lines of text."""

from app.studies.evaluate.reports.markdown import spread, with_interval
from app.terminal.text import columns, model_line
from editors.ability_tests.result import CHANCE, AbilitiesResult
from editors.cases.case import counted
from editors.evaluation.result import CONSISTENCY, FLUENCY, PROTOCOLS, SHORT, EvaluateResult, mean_of


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
