"""An evaluation as a report to read or to put beside a recipe: Markdown, every number with protocol, interval and n."""

from math import isnan

from editors.cases.case import counted
from editors.evaluation.result import IN_PERCENT, PROTOCOLS, SHORT, EvaluateResult, Mean


def markdown_report(result: EvaluateResult) -> str:
    """One table for each protocol; changes against no edit are over the same cases."""
    card, request = result.model, result.request
    written = "one at a time" if request.mode == "single" else "in one edit"
    parts = [
        f"# Evaluation on {card['name']}",
        f"{counted(len(request.cases))}, written {written}; weights {card['weights_hash']}; seed {request.seed}; "
        f"{result.provenance['created_at']}. Values are means over cases of the mean over a case’s prompts, ± half of "
        "the 95 % interval.",
    ]
    kinds = result.there()
    for protocol, meaning in PROTOCOLS.items():
        shown = [kind for kind in kinds if any(result.mean(at, protocol, kind) for at in range(len(result.versions)))]
        if not shown:
            continue
        names = [f"{kind} ({SHORT[kind]})" if protocol == "likelihood" and kind in SHORT else kind for kind in shown]
        rows = [f"| method | {' | '.join(names)} |", f"|---|{'---|' * len(shown)}"]
        for at, version in enumerate(result.versions):
            cells = [cell(result.mean(at, protocol, kind), protocol) for kind in shown]
            rows.append(f"| {version} | {' | '.join(cells)} |")
        parts += [f"## {protocol}", f"{meaning[0].upper()}{meaning[1:]}.", "\n".join(rows)]
    scores = [(version, result.score(at)) for at, version in enumerate(result.versions)]
    if any(score is not None for _, score in scores):
        told = ", ".join(f"{version} {100 * score:.1f}" for version, score in scores if score is not None)
        parts.append(f"S, the harmonic mean of ES, PS and NS: {told}.")
    if result.faults:
        parts += ["## Refused", "\n".join(f"- {fault}" for fault in result.faults)]
    if result.left_out:
        parts += ["## Prompts left out", "\n".join(f"- {prompt}" for prompt in result.left_out)]
    return "\n\n".join(parts) + "\n"


def cell(mean: Mean | None, protocol: str) -> str:
    """A mean in its unit with half of its interval and n; a dash where there is none."""
    return spread(mean, protocol) if mean is None else f"{spread(mean, protocol)} (n={mean.n})"


def spread(mean: Mean | None, protocol: str) -> str:
    """A mean in its unit with half of its interval; a dash where there is none."""
    if mean is None:
        return "–"
    times, digits = (100, 1) if protocol in IN_PERCENT else (1, 3)
    return with_interval(times * mean.value, times * mean.half_width, digits)


def with_interval(value: float, half_width: float, digits: int) -> str:
    """A mean ± its half width; one case has none."""
    return f"{value:.{digits}f}" + ("" if isnan(half_width) else f" ± {half_width:.{digits}f}")
