"""A trace in lines of text."""

from analysis import TraceResult
from app.studies.trace.table import trace_table
from app.terminal.text import STRONGEST, columns, model_line, shades, word


def trace_summary(result: TraceResult) -> str:
    """The baseline, a map in shades for each kind, the strongest places."""
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
    cells = trace_table(result).query("kind == @kind").nlargest(STRONGEST, "effect")
    strongest = [
        (cell.layer, word(cell.token), cell.probability, f"± {cell.half_width_95:.3f}", word(cell.top_1))
        for cell in cells.itertuples()
    ]
    return f"{title}\n{columns(rows)}\n\n{columns(strongest, ('layer', 'token', 'probability', '95 %', 'says'))}"
