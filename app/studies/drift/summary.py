"""Attention drift in lines of text."""

import numpy as np

from analysis.internals.head_names import head_name
from app.terminal.text import STRONGEST, columns, model_line, shades, word
from editors.attention_drift.result import PATCHED, DriftResult, DriftsResult, PatchResult, Said
from editors.cases.case import counted


def drift_summary(result: DriftResult) -> str:
    """Answers, heads in shades, the strongest, what setting back brings."""
    where = word(result.tokens[result.key])
    layers, heads = result.drift.shape
    top = max(float(np.abs(result.drift).max()), 1e-9)
    rows = [(f"head {head}", f"│{shades(result.drift[:, head], 0, top)}│") for head in range(heads)]
    before, after = (run[:, :, -1, result.key] for run in (result.before, result.after))
    grid = result.grids.get("heads")
    strongest = [
        (
            head_name((layer, head)),
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


def patch_summary(result: PatchResult) -> str:
    """Answers without the edits, with them, and with heads set back."""
    answers = (word(result.answer), word(result.edited))
    heads = ", ".join(result.request.heads) or "no heads"
    runs = ("without the edits", "with them", f"{heads} set back")
    return f"{model_line(result.model)}\n“{result.request.prompt}”\n{_runs(result.said, answers, runs)}"


def drifts_summary(result: DriftsResult) -> str:
    """Drift and what is lost, task by task."""
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
