"""Neurons on the page: pathways, the card of one, what is left with many switched off, what layers add."""

import streamlit as st

from analysis import NeuronsResult
from analysis.neuron_attribution.result import Neuron
from app.charts.palette import live
from app.charts.words import THIN, percent, word
from app.components import theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.neurons import captions
from app.studies.neurons.figure import ablation_alt, ablation_curves, gains_alt, layer_gains, token_bars, tokens_alt
from app.studies.neurons.neuron_graph import MOST, pathway, pathway_alt

PAGE = "neurons"
STILL = {"displayModeBar": False}
FEWEST = 8


def show(result: NeuronsResult) -> None:
    """Everything about an attribution."""
    light = theme_seen()
    head, slider = st.columns([2.4, 1], vertical_alignment="bottom")
    head.markdown("### From the words to the answer")
    most = slider.slider("Points drawn", FEWEST, MOST, 20, key="neurons-most")
    role, place = _selected(result)
    key = f"neurons-graph-{light}"
    st.plotly_chart(
        pathway(result, live(), most=most, selected=(role, place)),
        key=key,
        alt=pathway_alt(result, most),
        config=STILL,
        on_select=lambda: _choose(key),
        selection_mode="points",
    )
    st.markdown(captions.pathway())
    take_away(result)
    left, right = st.columns([1, 1.05], gap="large")
    with left:
        _card(result, role, place)
    with right:
        what(result)
    st.markdown("### Switched off together")
    for column, one in zip(st.columns(2, gap="large"), [one for one in result.ablations if one.counts], strict=False):
        with column:
            st.plotly_chart(
                ablation_curves(result, one, live()),
                key=f"neurons-off-{one.role}-{light}",
                alt=ablation_alt(result, one),
                config=STILL,
            )
    st.markdown(captions.ablations(result))
    st.markdown("### What each layer adds")
    st.plotly_chart(layer_gains(result, live()), key=f"neurons-gains-{light}", alt=gains_alt(result), config=STILL)
    st.markdown(captions.gains(result))
    if result.tokens_ablated.size:
        _tokens(result, light)


def _tokens(result: NeuronsResult, light: str) -> None:
    st.markdown("### What each word adds")
    st.plotly_chart(token_bars(result, live()), key=f"neurons-tokens-{light}", alt=tokens_alt(result), config=STILL)
    st.markdown(captions.word_gains(result))


def what(result: NeuronsResult) -> None:
    """What is drawn, in plain words."""
    with st.container(border=True, key="neurons-what"):
        st.markdown("### What am I looking at?")
        st.markdown(
            f"**Value neurons** write “{escape(word(result.answer))}” into the last state. **Query neurons** further "
            "down write what switches value neurons on."
        )
        total, scored = result.mlp.size, result.scored
        how = (
            f"All {total:,} MLP neurons were scored."
            if scored == total
            else f"{scored:,} of {total:,} MLP neurons were scored; no other can score above "
            f"{result.largest_unscored:.3f} (screened, proven by a bound)."
        )
        st.markdown(how)
        if (agreement := result.agreement()) is not None:
            st.markdown(
                f"Second opinion (integrated gradients, knowledge neurons): {percent(agreement[1])} of the first 100 "
                f"are the same; rank correlation {agreement[0]:.2f}."
            )
        for note in result.notes:
            st.markdown(f":orange[:material/info:] {escape(note)}")
        if result.unsure:
            st.markdown(
                f":gray[:small[{len(result.unsure)} value neurons have no share: what they read is a small difference "
                "of large parts.]]"
            )
        st.markdown(
            ":gray[:small[A score says what a neuron adds through the lens, all else held still. What happens without "
            "it is the ablation’s to say, and the two may differ.]]"
        )


def _selected(result: NeuronsResult) -> tuple[str, int]:
    role, place = st.session_state.get("neurons.card", ("value", 0))
    cards = result.query if role == "query" else result.value
    return (role, place) if place < len(cards) else ("value", 0)


def _choose(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and (data := points[0].get("customdata")) and data[0] in ("query", "value"):
        st.session_state["neurons.card"] = (data[0], int(data[1]))


def _card(result: NeuronsResult, role: str, place: int) -> None:
    cards: list[tuple[str, int, Neuron]] = [("value", i, card) for i, card in enumerate(result.value)]
    cards += [("query", i, card) for i, card in enumerate(result.query)]
    with st.container(border=True, key="neurons-card"):
        names = {(kind, i): f"{card.name} ({kind})" for kind, i, card in cards}
        st.session_state["neurons-pick"] = (role, place)
        st.selectbox("Neuron", list(names), format_func=names.__getitem__, key="neurons-pick", on_change=_picked)
        card = next(card for kind, i, card in cards if (kind, i) == (role, place))
        read = escape(word(result.tokens[card.token]))
        where = "MLP" if card.part == "mlp" else f"attention head {card.head}"
        st.markdown(f"### {card.name}")
        st.markdown(
            f":gray[:small[{role} neuron, {where} of layer {card.layer}, reads “{read}”; "
            f"coefficient {card.coefficient:.3g}]]"
        )
        adds = f"{card.score:+.2f}" if role == "value" else f"{card.score:.2f}"
        said = "Adds to the log-probability" if role == "value" else "Query score"
        st.markdown(f"{said} **{adds}**")
        with st.container(horizontal=True, gap="large"):
            for label, share in (
                ("Answer now", result.probability),
                ("At zero", card.zeroed),
                ("Doubled", card.doubled),
            ):
                st.metric(label, percent(share), width="content")
        raises, lowers = (card.promotes, card.suppresses) if card.coefficient >= 0 else (card.suppresses, card.promotes)
        st.markdown(f"**Raises** {_words(raises)}  \n**Lowers** {_words(lowers)}")
        st.markdown(_links(result, role, place))


def _picked() -> None:
    st.session_state["neurons.card"] = st.session_state["neurons-pick"]


def _words(words: list[str]) -> str:
    return " · ".join(escape(word(text)) for text in words)


def _links(result: NeuronsResult, role: str, place: int) -> str:
    """What switches a value neuron on, or what a query neuron switches on."""
    row = result.links[:, place] if role == "value" else result.links[place]
    others = result.query if role == "value" else result.value
    best = sorted((i for i in range(len(row)) if row[i]), key=lambda i: -abs(row[i]))[:4]
    if not best:
        return ":gray[:small[None of the neurons drawn is linked to it.]]"
    named = ", ".join(f"{others[i].name} {100 * row[i]:+.0f}{THIN}%" for i in best)
    said = "Switched on by" if role == "value" else "Switches on"
    return f"**{said}** {named} :gray[(share in the state it reads)]"
