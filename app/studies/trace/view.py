"""A trace on the page: maps on one scale, the card of a cell, notes, what to take away."""

from typing import Any

import numpy as np
import streamlit as st

from analysis import TraceRequest, TraceResult
from analysis.internals.scores import Metric
from analysis.text.tokens import Tokens
from app.charts.bars import word_bars
from app.charts.palette import live
from app.charts.token_map import token_map
from app.charts.words import percent, placed, word
from app.components import theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape, nothing_yet
from app.studies.trace import captions
from app.studies.trace.figure import COPIED, EARLY, LATE, TITLES, alt_text, shared_top, sites, trace_map

STILL = {"displayModeBar": False}
METRIC_WORDS: dict[Metric, str] = {
    "probability": "Probability",
    "logit_difference": "Logit difference",
    "normalised_logit_difference": "Normalised logit difference",
    "kl": "KL divergence",
}


def maps(result: TraceResult, *, top: float, metric: Metric, name: str, clickable: bool = True) -> None:
    """Sibling maps of all kinds of a result, side by side, at most three in a row."""
    palette, light = live(), theme_seen()
    kinds = list(result.grids)
    for first in range(0, len(kinds), 3):
        row = kinds[first : first + 3]
        for column, kind in zip(st.columns(3 if len(kinds) > 1 else [2, 1])[: len(row)], row, strict=True):
            with column:
                st.markdown(f"### {TITLES[kind]}")
                figure = trace_map(result, kind, palette, top=top, metric=metric, selected=_cell(kind))
                key = f"{name}-{kind}-{light}"
                interaction: dict[str, Any] = (
                    {"on_select": lambda key=key, kind=kind: _choose(key, kind), "selection_mode": "points"}
                    if clickable
                    else {}
                )
                st.plotly_chart(figure, key=key, alt=alt_text(result, kind), config=STILL, **interaction)


def _cell(kind: str) -> tuple[int, int] | None:
    cell = st.session_state.get("trace.cell")
    return cell if cell and st.session_state.get("trace.kind") == kind else None


def _choose(key: str, kind: str) -> None:
    points = st.session_state[key].selection.points
    if points:
        layer, token = points[0]["x"], points[0]["y"]
        st.session_state["trace.cell"] = (int(layer), int(token))
        st.session_state["trace.kind"] = kind
        st.session_state["trace.chosen"] = True


def settle_cell(result: TraceResult) -> tuple[str, int, int]:
    """The cell the card is about: the chosen one, else the early site, else the strongest."""
    kind: str = st.session_state.get("trace.kind", "")
    cell: tuple[int, int] = st.session_state.get("trace.cell") or (-1, -1)
    layers, tokens = result.lens.answer_rank.shape
    fits = kind in result.grids and 0 <= cell[0] < layers and 0 <= cell[1] < tokens
    if not fits or (kind, cell) == st.session_state.get("trace.unasked"):
        found = sites(result)
        if found:
            kind, cell = found[0].kind, (found[0].layer, found[0].token)
        else:
            kind = next(iter(result.grids))
            effects = np.nan_to_num(result.indirect_effects(kind), nan=-1.0)
            layer, token = np.unravel_index(effects.argmax(), effects.shape)
            cell = (int(layer), int(token))
        if st.session_state.get("trace.cell") != cell:
            st.session_state["trace.chosen"] = True
        st.session_state["trace.kind"], st.session_state["trace.cell"] = kind, cell
        st.session_state["trace.unasked"] = (kind, cell)
    return kind, cell[0], cell[1]


def card(result: TraceResult) -> None:
    """What is known of the selected cell."""
    kind, layer, token = settle_cell(result)
    grid, palette, light = result.grids[kind], live(), theme_seen()
    with st.container(border=True, key="trace-card"):
        title, field = st.columns([3, 1.3], vertical_alignment="center")
        title.markdown(f"### “{escape(word(result.tokens[token]))}”, layer {layer}")
        st.session_state["trace.layer"] = layer
        field.number_input("Layer", 0, len(result.lens.top_ids) - 1, key="trace.layer", on_change=_other_layer)
        span = f", {grid.window} layers around it" if grid.window > 1 else ""
        st.markdown(f":gray[:small[{TITLES[kind]}{span}]]")
        numbers = [("Clean", percent(result.high)), ("Blurred", percent(result.low))]
        repaired = float(result.scores(kind)[layer, token])
        numbers.append(("Repaired here", percent(repaired) if repaired == repaired else "…"))
        with st.container(horizontal=True, gap="large"):
            for label, value in numbers:
                st.metric(label, value, width="content")
        if repaired == repaired:
            low, width = result.low, float(result.uncertainty(kind)[layer, token])
            st.markdown(
                f":gray[:small[{100 * (repaired - low):+.1f} points over blurred, ± {100 * width:.1f} over "
                f"{len(result.corrupted.probability)} noise samples (indirect effect).]]"
            )
        st.markdown("**What this state would say if asked now** :gray[(logit lens)]")
        ids = result.lens.top_ids[layer, token]
        _bars(
            result,
            ids,
            result.lens.top_probabilities[layer, token],
            palette,
            f"lens-{light}",
            "Logit lens of this state",
            answers=token == len(result.tokens) - 1,
        )
        if repaired == repaired:
            st.markdown("**What the model answers with it repaired** :gray[(next word, mean over samples)]")
            words, values = grid.top_ids[layer, token], grid.top_probabilities[layer, token]
            _bars(result, words, values, palette, f"repaired-{light}", "Next words with the state repaired")
            before = ", ".join(
                f"{escape(word(text))} {percent(float(p))}"
                for text, p in zip(
                    result.spans(result.corrupted.top_ids[:3]), result.corrupted.top_probabilities[:3], strict=True
                )
            )
            st.markdown(f":gray[:small[Without the repair it says: {before}.]]")


def _bars(
    result: TraceResult, ids: np.ndarray, values: np.ndarray, palette: Any, key: str, alt: str, *, answers: bool = True
) -> None:
    words = [placed(text, answers) for text in result.spans(ids)]
    figure = word_bars(words, [float(v) for v in values], palette, before=placed(result.answer, answers))
    said = ", ".join(f"{word(text)} {percent(float(v))}" for text, v in zip(words, values, strict=True))
    st.plotly_chart(figure, key=f"card-{key}", alt=f"{alt}: {said}.", config=STILL)


def _other_layer() -> None:
    _, token = st.session_state["trace.cell"]
    st.session_state["trace.cell"] = (int(st.session_state["trace.layer"]), token)


def notes(result: TraceResult) -> None:
    """What am I looking at? One short paragraph per mark that stands in the maps."""
    st.markdown("### What am I looking at?")
    answer = escape(word(result.answer))
    found = {site.mark: site for site in sites(result)}
    if site := found.get(EARLY):
        where = escape(word(result.tokens[site.token]))
        st.markdown(
            f"{EARLY} **Early site.** At “{where}”, layer {site.layer} already holds enough to bring {answer} back. "
            "Compare the MLP map: these layers look the fact up."
        )
    if site := found.get(LATE):
        st.markdown(
            f"{LATE} **Late site.** From layer {site.layer} on, the answer is on its way out at the last word. "
            "Repairing here works for any fact, so it says little about storage."
        )
    if site := found.get(COPIED):
        where = escape(word(result.tokens[site.token]))
        st.markdown(f"{COPIED} **Copied here.** Around layer {site.layer}, attention carries the answer to “{where}”.")
    if not result.complete:
        st.markdown(":gray[:small[More can be said once all cells are computed; faint ink is a preview.]]")
    elif not found:
        st.markdown(
            f"No single repair brings {answer} back by much: the blurred prompt gives {percent(result.low)}, "
            f"the clean one {percent(result.high)}."
        )
    for kind in result.grids:
        if not np.isnan(result.indirect_effects(kind)[:, result.subject[0] :]).any():
            st.markdown(
                f":gray[:small[{TITLES[kind]}: the preview (attribution patching) ranked the cells with a "
                f"correlation of {result.agreement(kind):.2f} with the exact trace.]]"
            )
    st.markdown(
        ":gray[A bright cell shows where a fact *can be read*. It is not yet proof of where it is best *written over*.]"
    )


def show(result: TraceResult, metric: Metric, request_now: Any) -> None:
    """Everything about one result."""
    if result.request != request_now:
        st.markdown(
            f":gray[:small[The figure is of “{escape(result.request.prompt)}” as it was traced; press Trace for the "
            "form above.]]"
        )
    settle_cell(result)
    if st.session_state.pop("trace.chosen", False):
        st.rerun()  # the token strip above rings the row of the chosen cell
    maps(result, top=shared_top([result], metric), metric=metric, name="trace")
    st.markdown(captions.trace(result, metric))
    take_away(result, metric=metric)
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        card(result)
    with right:
        notes(result)


def compare(results: list[TraceResult], metric: Metric = "probability") -> None:
    """Two earlier runs one above the other, on one scale."""
    st.markdown("## Side by side")
    top = shared_top(results, metric)
    for index, result in enumerate(results):
        st.markdown(f"**{escape(result.request.prompt)}** :gray[{escape(word(result.answer))}]")
        maps(result, top=top, metric=metric, name=f"compare-{index}", clickable=False)
        st.markdown(captions.trace(result, metric))


def before_and_after(results: list[TraceResult]) -> None:
    """The same prompt traced without edits and with them, on one scale."""
    top = shared_top(results, "probability")
    for result in results:
        edited = bool(result.model.get("edits"))
        colour, words = ("orange", "Written over") if edited else ("blue", "As it was")
        st.markdown(f":{colour}[**{words}**] :gray[answer {escape(word(result.answer))}]")
        maps(result, top=top, metric="probability", name=f"retrace-{'after' if edited else 'before'}", clickable=False)
        st.markdown(captions.trace(result, "probability"))


def empty(request: TraceRequest | None, tokens: Tokens | None, layers: int | None) -> None:
    """A blank page: axes with a dot a cell, one sentence."""
    nothing_yet("trace", "Nothing traced yet. Press **Trace**.")
    if request is None or tokens is None or layers is None:
        return
    blank = np.full((layers, len(tokens)), np.nan)
    figure = token_map(blank, list(tokens.labels), live(), top=1.0, roles=tokens.roles)
    figure.data[0].showscale = False
    left, _ = st.columns([2, 1])
    left.plotly_chart(figure, key=f"trace-empty-{theme_seen()}", alt="An empty map: nothing traced yet.", config=STILL)
