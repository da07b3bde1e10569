"""A trace as token maps: what a page shows and what an export takes away are the same figures."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from analysis.internals.scores import Metric
from analysis.tracing.result import TraceResult
from app.charts.frame import thumbnail_of
from app.charts.palette import Palette
from app.charts.token_map import Note, token_map
from app.charts.words import percent, word

TITLES = {
    "state": "Hidden state",
    "mlp": "MLP",
    "attn": "Attention",
    "severed_mlp": "State, MLPs cut off",
    "severed_attn": "State, attention cut off",
}
EARLY, LATE, COPIED = "①", "②", "③"
PLAIN_METRIC: dict[str, str] = {
    "probability": "how much of “{answer}” returns",
    "logit_difference": "logit of “{answer}” over “{foil}”, regained",
    "normalised_logit_difference": "share of the logit difference “{answer}” − “{foil}” regained",
    "kl": "how much nearer to the clean answer’s distribution, nats",
}


@dataclass(frozen=True)
class Site:
    """A place worth a note: mark, kind of map, layer, token, effect."""

    mark: str
    kind: str
    layer: int
    token: int
    effect: float


def sites(result: TraceResult) -> list[Site]:
    """Early site, late site and the copying attention, where the trace shows them at all.

    A site needs a seventh of the total effect; a trace without one gets no note. While cells it might lie in are not
    computed, nothing is said of it: a preview is no ground for a conclusion.
    """
    found: list[Site] = []
    least = (result.high - result.low) / 7
    last = len(result.tokens) - 1
    subject = list(range(*result.subject))

    def best(mark: str, kind: str, tokens: list[int]) -> None:
        if kind not in result.grids or not tokens:
            return
        effects = result.indirect_effects(kind)[:, tokens]
        if np.isnan(effects).any():
            return
        layer, column = np.unravel_index(effects.argmax(), effects.shape)
        if effects[layer, column] >= least > 0:
            found.append(Site(mark, kind, int(layer), tokens[int(column)], float(effects[layer, column])))

    best(EARLY, "state", [token for token in subject if token != last])
    if "state" in result.grids:
        effects = result.indirect_effects("state")[:, last]
        reached = np.flatnonzero(effects >= max(least, 0.5 * effects.max()))
        if len(reached) and least > 0 and last not in subject:
            found.append(Site(LATE, "state", int(reached[0]), last, float(effects[reached[0]])))
    best(COPIED, "attn", list(range(result.subject[1], last + 1)))
    return found


NOTE_WORDS = {EARLY: "early site", LATE: "late site", COPIED: "copied here"}


def shared_top(results: list[TraceResult], metric: Metric = "probability") -> float:
    """Top of the scale that sibling maps share: the largest effect, at least a tenth of the total."""
    tops = []
    for result in results:
        low, high = result.baseline(metric)
        tops += [abs(high - low) * 0.1, *(_largest(result.indirect_effects(kind, metric)) for kind in result.grids)]
        if not result.cells[0]:
            tops.append(abs(high - low))
    top = max([*tops, 1e-6])
    return float(np.ceil(top * 20) / 20) if metric == "probability" else float(top)


def _largest(effects: np.ndarray) -> float:
    return float(np.nanmax(effects)) if not np.isnan(effects).all() else 0.0


def sketch(result: TraceResult, kind: str) -> np.ndarray | None:
    """The preview of a kind, scaled to its own maximum: an order, not a size."""
    values = np.clip(result.previews[kind], 0, None)
    values = np.where(np.arange(len(result.tokens)) >= result.subject[0], values, 0)
    return values / values.max() if values.max() > 0 else None


def trace_map(
    result: TraceResult,
    kind: str,
    palette: Palette,
    *,
    top: float,
    metric: Metric = "probability",
    selected: tuple[int, int] | None = None,
    titled: bool = False,
) -> go.Figure:
    """Token map of one kind of repair."""
    notes = tuple(
        Note(f"{site.mark} {NOTE_WORDS[site.mark]}", site.layer, site.token)
        for site in sites(result)
        if site.kind == kind
    )
    label = percent(top) if metric in ("probability", "normalised_logit_difference") else f"{top:.1f}"
    return token_map(
        result.indirect_effects(kind, metric),
        result.tokens,
        palette,
        top=top,
        stars=range(*result.subject),
        sketch=sketch(result, kind),
        selected=selected,
        notes=notes,
        hover=hover_texts(result, kind, metric),
        top_label=label,
        title=TITLES[kind] if titled else None,
        roles=result.roles,
    )


def hover_texts(result: TraceResult, kind: str, metric: Metric) -> np.ndarray:
    """One line a cell: token, layer, value with its interval."""
    scores, width = result.scores(kind, metric), result.uncertainty(kind, metric)
    shares = metric in ("probability", "normalised_logit_difference")
    texts = np.empty(scores.shape, dtype=object)
    for layer, token in np.ndindex(scores.shape):
        value = float(scores[layer, token])
        where = f"“{word(result.tokens[token])}”, layer {layer}: "
        if np.isnan(value):
            texts[layer, token] = where + "not computed yet; the preview is a sketch"
        elif shares:
            texts[layer, token] = f"{where}{percent(value)} ± {100 * width[layer, token]:.0f}"
        else:
            texts[layer, token] = f"{where}{value:.2f} ± {width[layer, token]:.2f}"
    return texts


def alt_text(result: TraceResult, kind: str) -> str:
    """What a map shows, in a sentence."""
    if not result.grids[kind].computed.any():
        return f"{TITLES[kind]}: no cell computed yet."
    effects = np.nan_to_num(result.indirect_effects(kind), nan=-np.inf)
    layer, token = np.unravel_index(effects.argmax(), effects.shape)
    return (
        f"{TITLES[kind]}: map of {len(result.tokens)} tokens and {effects.shape[0]} layers for "
        f"“{result.request.prompt}”. "
        f"Clean {percent(result.high)}, blurred {percent(result.low)}; most of “{word(result.answer)}” returns at "
        f"“{word(result.tokens[token])}”, layer {layer}: {percent(float(result.scores(kind)[layer, token]))}."
    )


def thumbnail(result: TraceResult) -> list[list[float]]:
    """Rows of 0..1, tokens down, layers across, of the first kind: for plates and the rail."""
    kind = next(iter(result.grids))
    return thumbnail_of(result.indirect_effects(kind).T)


def caption_words(result: TraceResult) -> str:
    """Two sentences under a stored trace: what the ink is, and where it comes from."""
    return (
        f"How much of the answer “{word(result.answer)}” comes back when one hidden state is repaired. ★ marks the "
        f"subject. Stored result, {result.model['name']}, {len(result.corrupted.probability)} noise samples."
    )
