"""A chain on the page, hop by hop: each alone, the whole, the shortcuts, and where the middle is read."""

import streamlit as st

from analysis import HopsResult, NeuronsRequest
from analysis.multihop.result import ASKED
from app.charts.palette import live
from app.charts.words import percent
from app.components import answer, theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.hops import captions
from app.studies.hops.figure import cut_alt, cut_curves, recall_alt, recall_curves

STILL = {"displayModeBar": False}
TITLES = {"first": "First hop", "second": "Second hop", "whole": "Both at once"}
RIGHT, WRONG = ":green[:material/check:]", ":red[:material/close:]"


def asked_whole(result: HopsResult) -> NeuronsRequest | None:
    """What the page's form is filled with; it asks one question."""
    return NeuronsRequest(prompt=result.chains[0].whole()) if len(result.chains) == 1 else None


def show(result: HopsResult, before: HopsResult | None = None) -> None:
    """The chain under the edits that are on; `before`: the same without them."""
    one, light = result.chains[0], theme_seen()
    prompts = {"first": one.hop_one, "second": one.hop_two(), "whole": one.whole()}
    for column, (name, title) in zip(st.columns(3, gap="large"), TITLES.items(), strict=True):
        place = ASKED.index(name)  # type: ignore[arg-type]
        said, share = result.said[0][place], float(result.probability[0, place])
        right = bool(result.correct[0, place])
        wanted = one.bridge if name == "first" else one.answer
        with column:
            answer(title, said, "", "over" if before else "under", key=f"hop-{name}")  # type: ignore[arg-type]
            verdict = f"{RIGHT} right" if right else f"{WRONG} not “{escape(wanted)}”"
            st.markdown(f"{verdict}, “{escape(wanted)}” {percent(share)}")
            st.markdown(f":gray[:small[{escape(prompts[name])} …]]")
            if before is not None:
                was = before.said[0][place]
                st.markdown(f":gray[:small[Without the edits: {escape(was)}.]]")
    st.markdown(_sentence(result))
    left, right_side = st.columns(2, gap="large")
    with left:
        st.markdown("### Where the middle can be read")
        st.plotly_chart(
            recall_curves(result, live()), key=f"neurons-recall-{light}", alt=recall_alt(result), config=STILL
        )
        st.markdown(captions.recall(result))
    with right_side:
        if result.was_cut(0):
            st.markdown("### What the last word must look at")
            st.plotly_chart(cut_curves(result, live()), key=f"neurons-cut-{light}", alt=cut_alt(result), config=STILL)
            st.markdown(captions.cuts(result))
    take_away(result)


def _sentence(result: HopsResult) -> str:
    one, right = result.chains[0], dict(zip(ASKED, result.correct[0], strict=True))
    alone = [
        words
        for name, words in (
            ("without_subject", f"the question without “{escape(one.subject)}”"),
            ("without_first_hop", "the second hop asked of it directly"),
        )
        if right[name]  # type: ignore[index]
    ]
    verb = "are" if len(alone) > 1 else "is"
    short = f"Beware: {' and '.join(alone)} {verb} answered the same, so the whole proves no two hops." if alone else ""
    parts = ["No shortcut answers it alone." if not alone else short]
    if result.patched.size:
        best, to, back = _rescue(result)
        uncut = float(result.probability[0, 2])
        if best > uncut + 0.01:
            parts.append(
                f"What goes into layer {back}, put into layer {to} instead, raises “{escape(one.answer)}” from "
                f"{percent(uncut)} to {percent(best)} (back-patching, best of all pairs)."
            )
    return f":gray[{' '.join(parts)}]"


def _rescue(result: HopsResult) -> tuple[float, int, int]:
    """The best back-patch: probability, layer it is put into, layer it comes from."""
    best, at, source = -1.0, 0, 0
    for i, row in enumerate(result.patched[0]):
        for j, value in enumerate(row):
            if value == value and value > best:
                best, at, source = float(value), result.patched_layers[j], result.patched_layers[i]
    return best, at, source
