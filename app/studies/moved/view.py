"""Who else moved, on the edit page: the button, the map, a slider over protection, the card of one subject."""

from functools import partial

import streamlit as st

from analysis import WorkbenchError
from app.charts.palette import live
from app.charts.words import percent
from app.components import theme_seen
from app.registry.studies import STUDIES
from app.session import edit_stack, page, run_flow
from app.session.export_row import take_away
from app.session.fields import fill
from app.session.run_flow import escape
from app.studies.moved import captions
from app.studies.moved.figure import moved_alt, moved_map
from editors.edit.edit import Edit
from editors.methods.protection.like_subjects import source_for
from editors.who_moved.result import MovedRequest, MovedResult

PAGE, STUDY = "moved", STUDIES["moved"]
STILL = {"displayModeBar": False}
WORDS = {
    "written": "the fact that was written", "protected": "protected", "scored": "a neighbour that is scored",
    "like": "another one like it", "same subject": "another fact of the same subject",
}  # fmt: skip


def draw(edit: Edit) -> None:
    """The question, the button, the map."""
    st.markdown("## Who else moved?")
    st.markdown(
        "The new value is given to whatever asks for it in the same way. Here all known subjects of the same kind stand"
        " by how near they are, and by how much of the new value they get. :gray[keys and values of the edited layers]"
    )
    request = MovedRequest()
    edits = (*edit_stack.found_on(edit), edit)
    try:
        if run_flow.go(st, PAGE, STUDY, "See who moved", icon=":material/scatter_plot:", key="moved-go"):
            run_flow.start(PAGE, STUDY, request, edits)
    except WorkbenchError as error:
        run_flow.refusal(error)
    page.outcome(PAGE, STUDY, request, "weights", partial(_show, edit), edits=edits)


def _show(edit: Edit, result: MovedResult) -> None:
    at = _weight(result)
    chosen = _chosen(result)
    key = f"moved-map-{theme_seen()}"
    st.plotly_chart(
        moved_map(result, live(), at, chosen=chosen), key=key, alt=moved_alt(result, at), config=STILL,
        on_select=lambda: _choose(key), selection_mode="points",
    )  # fmt: skip
    st.markdown(captions.standing(result, at))
    st.markdown(captions.MAP)
    st.markdown(
        ":gray[:small[★ the fact · ◆ protected · ● neighbours that are scored · ○ others like it · ✕ other facts of "
        "the same subject, which share its key]]"
    )
    if result.told:
        st.markdown(f":gray[:material/info: {escape(result.told)}]")
    label = f"Take β = {result.weights[at]:g} for the form"
    if at and st.button(label, icon=":material/shield:", type="tertiary", key="moved-take"):
        _take(edit, float(result.weights[at]))
        st.rerun()
    _card(result, at, chosen)
    take_away(result)


def _weight(result: MovedResult) -> int:
    """Which of the edits is drawn: as it is, unless the slider says another weight."""
    order = result.order
    if len(order) < 2:
        return 0
    names = {at: f"{result.weights[at]:g}{'' if at else ' as written'}" for at in order}
    own = st.session_state.get("moved-weight")
    if own not in names:
        st.session_state["moved-weight"] = 0
    return st.select_slider(
        "Protection (β)", order, format_func=names.__getitem__, key="moved-weight",
        help="the same new value, written beside protected keys of this weight: the closed form is solved anew, "
        "nothing is sought again",
    )  # fmt: skip


def _take(edit: Edit, weight: float) -> None:
    """Fill the form with the edit, protected so much; whom it names none for are found as the map found them."""
    asked = edit.request
    if not asked.protected:
        asked = asked.model_copy(update={"protect_keys": source_for(asked)})
    fill("edit", asked.model_copy(update={"protect_weight": weight}))


def _chosen(result: MovedResult) -> int:
    """The prompt whose card is shown: the one clicked, else who moved farthest beside the fact."""
    place = st.session_state.get("moved.card")
    if place is not None and place < len(result.subjects):
        return place
    others = [p for p, kind in enumerate(result.standings) if kind not in ("written", "same subject")]
    return max(others, key=lambda p: result.shift[0, p], default=0)


def _choose(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and (data := points[0].get("customdata")) is not None:
        st.session_state["moved.card"] = int(data[0] if isinstance(data, list) else data)


def _picked() -> None:
    st.session_state["moved.card"] = st.session_state["moved-pick"]


def _card(result: MovedResult, at: int, chosen: int) -> None:
    probe, after = result.probes[chosen], result.after[at]
    with st.container(border=True, key="moved-card"):
        st.session_state["moved-pick"] = chosen
        names = [f"{name} ({WORDS[kind]})" for name, kind in zip(result.subjects, result.standings, strict=True)]
        st.selectbox("Subject", range(len(names)), format_func=names.__getitem__, key="moved-pick", on_change=_picked)
        st.markdown(f"{escape(probe.prompt)} …")
        was, now = escape(result.before.said[chosen]), escape(after.said[chosen])
        tone = "blue" if result.before.said[chosen] == after.said[chosen] else "orange"
        shares = [percent(float(one.said_probability[chosen])) for one in (result.before, after)]
        st.markdown(f"### :blue[{was}] {shares[0]} → :{tone}[{now}] {shares[1]}")
        st.table(
            {
                "Answer": [escape(probe.new), escape(probe.old) or "–"],
                "Before": [percent(float(result.before.new[chosen])), percent(float(result.before.old[chosen]))],
                "After": [percent(float(after.new[chosen])), percent(float(after.old[chosen]))],
            },
            hide_index=True,
            alt="Probability of the new answer and of the old one, before and after.",
        )
        st.markdown(
            f":gray[Shift {percent(float(result.shift[at, chosen]))} of the fact’s own, key’s cosine "
            f"{result.cosine[chosen]:.2f}, β = {result.weights[at]:g}.]"
        )
