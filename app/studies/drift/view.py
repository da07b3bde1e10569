"""Attention drift as a person sees it: the sentence that breaks, the heads that turned, what setting them back does."""

import numpy as np
import streamlit as st

from analysis.internals.head_names import head_name, head_shown, parse_head
from app.charts.bars import word_bars
from app.charts.palette import live
from app.charts.words import percent, signed, word
from app.components import answer, theme_seen, verse
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.drift import captions
from app.studies.drift import figure as maps
from editors.attention_drift.result import PATCHED, DriftResult, DriftsResult, PatchResult, Said
from editors.cases.case import counted

STILL = {"displayModeBar": False}
SHOWN = 8
"""Heads offered to be set back one by one."""
RUNS = (("Before", "under"), ("After the edit", "over"))


def sentence(result: DriftResult) -> None:
    """The prompt with the answer of after over that of before, and one sentence."""
    said = result.said
    first, second = (int(run.argmax()) for run in said.probability)
    was, now = said.words[first], said.words[second]
    verse(
        result.request.prompt,
        result.request.subject,
        now=now if first != second else None,
        was=was,
        size="small",
        key="drift-verse",
    )
    right, wrong = escape(word(result.answer)), escape(word(result.edited))
    turned = int((result.drift > 0.05).sum())
    st.markdown(
        f"The answer that should stand, :blue[{right}], goes from {percent(float(said.answer[0]))} to "
        f"{percent(float(said.answer[1]))}; what was written, :orange[{wrong}], from "
        f"{percent(float(said.edited[0]))} to {percent(float(said.edited[1]))}. {turned} of {result.drift.size} heads "
        f"look at “{escape(word(result.tokens[result.key]))}” at least 5 points more than before."
    )


def head_map(result: DriftResult, set_back: list[tuple[int, int]]) -> tuple[int, int]:
    """The map of all heads; the one selected."""
    selected = _selected(result)
    figure = maps.drift_map(result, live(), selected=selected, crossed=set_back)
    key = f"drift-map-{theme_seen()}"
    st.plotly_chart(
        figure, key=key, alt=maps.drift_alt(result), config=STILL, selection_mode="points",
        on_select=lambda: _choose(key),
    )  # fmt: skip
    st.markdown(f"{captions.DRIFT} :gray[:small[Click a head. ✕ set back to before.]]")
    return selected


def _choose(key: str) -> None:
    if points := st.session_state[key].selection.points:
        st.session_state["drift.head"] = (int(points[0]["x"]), int(points[0]["y"]))


def _selected(result: DriftResult) -> tuple[int, int]:
    layers, heads = result.drift.shape
    held = st.session_state.get("drift.head")
    if held is None or held[0] >= layers or held[1] >= heads:
        strongest = result.strongest(1)
        held = strongest[0] if strongest else (layers - 1, 0)
        st.session_state["drift.head"] = held
    return held


def card(result: DriftResult, head: tuple[int, int]) -> None:
    """Where the selected head looks, before and after."""
    layer, number = head
    key = result.key
    before, after = (float(run[layer, number, -1, key]) for run in (result.before, result.after))
    with st.container(border=True, key="drift-card"):
        title, field, other = st.columns([4, 1.2, 1.2], vertical_alignment="center")
        subject = escape(word(result.tokens[key]))
        title.markdown(
            f"### Head {head_shown(head)}\nLooks at “{subject}” with :blue[{percent(before)}] before, "
            f":orange[{percent(after)}] after: **{signed(after - before)}**."
        )
        st.session_state["drift.layer"], st.session_state["drift.number"] = head
        layers, heads = result.drift.shape
        field.number_input("Layer", 0, layers - 1, key="drift.layer", on_change=_typed)
        other.number_input("Head", 0, heads - 1, key="drift.number", on_change=_typed)
        left, right = st.columns([1, 1.15], gap="large")
        with left:
            top = np.argsort(result.after[layer, number, -1])[::-1][:3]
            listed = ", ".join(
                f"{word(result.tokens[i])} {percent(float(result.after[layer, number, -1, i]))}" for i in top
            )
            st.markdown("**Where the last word looks** :gray[(:blue[before], :orange[after]; ★ subject)]")
            st.plotly_chart(
                maps.row_bars(result, layer, number, live()), key=f"drift-row-{theme_seen()}", config=STILL,
                alt=f"Attention of head {head_shown(head)} from the last word: after the edit most to {listed}.",
            )  # fmt: skip
        with right:
            st.markdown("**Where every word looks** :gray[(rows look at columns)]")
            which = st.segmented_control(
                "Show", ["before", "after", "difference"], default="difference", required=True, key="drift-which",
                wrap=True, label_visibility="collapsed",
            )  # fmt: skip
            st.plotly_chart(
                maps.pattern_map(result, layer, number, which or "difference", live()),
                key=f"drift-pattern-{which}-{theme_seen()}", config=STILL,
                alt=f"Whole attention of head {head_shown(head)}, {which}, {len(result.tokens)} words by as many.",
            )  # fmt: skip


def _typed() -> None:
    st.session_state["drift.head"] = (int(st.session_state["drift.layer"]), int(st.session_state["drift.number"]))


def toggles(result: DriftResult) -> tuple[str, ...]:
    """Which heads to set back, as a request names them."""
    offered = result.strongest(SHOWN)
    names = {head_name(head): head_shown(head) for head in offered}
    selected = _selected(result)
    names.setdefault(head_name(selected), head_shown(selected))
    state = st.session_state.get("drift-set-back") or []
    for held in state:
        names.setdefault(held, head_shown(parse_head(held)))
    chosen = st.pills(
        "Heads that turned most, set back to where they looked before", list(names), selection_mode="multi",
        format_func=names.__getitem__, key="drift-set-back", wrap=True,
    )  # fmt: skip
    every = st.toggle(f"All {result.drift.size} heads", key="drift-every")
    layers = result.drift.shape[0]
    return (f"0-{layers - 1}",) if every else tuple(sorted(chosen or (), key=lambda held: list(names).index(held)))


def runs(said: Said, labels: tuple[tuple[str, str], ...], key: str) -> None:
    """What each run says: the word, its probability, and the same words as bars on one scale."""
    limit = float(said.probability.max())
    for column, (label, tone), values in zip(
        st.columns(len(labels), gap="large"), labels, said.probability, strict=True
    ):
        with column:
            best = int(values.argmax())
            shown = said.words[best]
            answer(label, shown, percent(float(values[best])), tone, key=f"{key}-{label}")  # type: ignore[arg-type]
            figure = word_bars(
                said.words, [float(v) for v in values], live(), before=said.words[0],
                after=_written(said), limit=limit,
            )  # fmt: skip
            listed = ", ".join(f"{word(w)} {percent(float(v))}" for w, v in zip(said.words, values, strict=True))
            st.plotly_chart(figure, key=f"{key}-bars-{label}-{theme_seen()}", alt=f"{label}: {listed}.", config=STILL)


def _written(said: Said) -> str | None:
    """The word whose probability is that of the written answer."""
    for text, values in zip(said.words, said.probability.T, strict=True):
        if np.array_equal(values, said.edited):
            return text
    return None


def back(result: PatchResult) -> None:
    """Before, after, and with heads set back."""
    runs(result.said, (*RUNS, ("Heads set back", "ink")), "drift-back")
    said = result.said
    right = escape(word(result.answer))
    lost, regained = said.answer[0] - said.answer[1], said.answer[2] - said.answer[1]
    share = f", {percent(float(regained / lost))} of what was lost" if lost > 0.01 and regained > 0 else ""
    st.markdown(
        f"With these heads set back, :blue[{right}] has {percent(float(said.answer[2]))}: "
        f"{signed(float(regained))} over the edited model{share}."
    )


def experiments(result: DriftResult) -> None:
    """Attention set back by windows of layers, and the edited model's outputs put in one token at a time."""
    palette, light = live(), theme_seen()
    if "layers" in result.grids:
        st.markdown("## Is it attention that breaks it?")
        st.markdown(captions.drift_window(result))
        best = int(result.grids["layers"][0].argmax())
        st.plotly_chart(
            maps.window_curve(result, palette), key=f"drift-window-{light}", config=STILL,
            alt=f"Attention set back by windows: {word(result.answer)} is highest around layer {best} with "
            f"{percent(float(result.grids['layers'][0, best]))}.",
        )  # fmt: skip
    kinds = [kind for kind in ("mlp", "attn") if kind in result.grids]
    if not kinds:
        return
    st.markdown(captions.drift_substitution(result, kinds[0]))
    top = maps.substitution_top(result)
    for column, kind in zip(st.columns(len(kinds), gap="medium"), kinds, strict=True):
        lost = result.said.answer[0] - np.nan_to_num(result.grids[kind][0], nan=np.inf)
        layer, token = np.unravel_index(lost.argmax(), lost.shape)
        with column:
            st.plotly_chart(
                maps.substitution_map(result, kind, palette, top=top, title=maps.GRID_TITLES[kind]),
                key=f"drift-{kind}-{light}", config=STILL,
                alt=f"{maps.GRID_TITLES[kind]}: most is lost at “{word(result.tokens[int(token)])}”, layer {layer}: "
                f"{percent(float(lost[layer, token]))}.",
            )  # fmt: skip


def side_by_side(one: DriftResult, other: DriftResult, gamma: float) -> None:
    """The same prompt under the edit and under the same edit found with attention held back."""
    top = max(float(np.abs(one.drift).max()), float(np.abs(other.drift).max()), 1e-6)
    pairs = (("The edit as it is", one), (f"Attention held back, γ {gamma:g}", other))
    for place, (column, (label, result)) in enumerate(zip(st.columns(2, gap="large"), pairs, strict=True)):
        with column:
            said = result.said
            best = int(said.probability[1].argmax())
            tone = "under" if said.words[best] == result.answer else "over"
            share = percent(float(said.probability[1, best]))
            answer(label, said.words[best], share, tone, key=f"drift-side-{place}")  # type: ignore[arg-type]
            st.plotly_chart(
                maps.drift_map(result, live(), top=top), key=f"drift-side-map-{place}-{theme_seen()}", config=STILL,
                alt=f"{label}. {maps.drift_alt(result)}",
            )  # fmt: skip
            st.markdown(
                f":blue[{escape(word(result.answer))}] {percent(float(said.answer[1]))} · "
                f":orange[{escape(word(result.edited))}] {percent(float(said.edited[1]))} · largest drift "
                f"{signed(float(result.drift.max()))}"
            )
    st.markdown(
        ":gray[:small[One prompt shows what happened to this prompt and is no proof for others; "
        "`palimpsest bench drift` measures many facts, likelihood and greedy match side by side.]]"
    )


def over_all(result: DriftsResult) -> None:
    """Averages over the prompts, and how drift goes with what was lost."""
    palette, light = live(), theme_seen()
    failing = result.failing
    st.plotly_chart(
        maps.mean_drift_map(result, None, palette), key=f"drift-mean-{light}", config=STILL,
        alt=f"Mean drift of every head over {counted(len(result.prompt), 'prompt')}.",
    )  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        said = captions.drift_correlation(result)
        st.plotly_chart(
            maps.correlation_plot(result, palette), key=f"drift-correlation-{light}", config=STILL,
            alt=f"Drift of the largest head against the probability lost. {said}",
        )  # fmt: skip
        st.markdown(f":gray[:small[{said} ● same subject, ◇ neighbour after the edit.]]")
    take_away(result)
    with right:
        st.markdown(
            f"{int(failing.sum())} of {len(failing)} prompts say the written answer rather than the right one, and did "
            "not before."
        )
        chosen = failing if failing.any() else np.ones(len(failing), dtype=bool)
        means = result.first[chosen].mean(0)
        st.table(
            {"Run": list(PATCHED), "P(right answer), mean": [percent(float(value)) for value in means]},
            hide_index=True, alt="Mean probability of the right answer in five runs.",
        )  # fmt: skip
        which = "those prompts" if failing.any() else "all prompts, as none fails"
        st.markdown(
            f":gray[:small[Mean over {which}, n = {int(chosen.sum())}; {result.request.heads} heads set back.]]"
        )
