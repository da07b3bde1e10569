"""How good is an edit? Methods side by side on the same cases, by every protocol of the field."""

import streamlit as st

from analysis import WorkbenchError
from app import cases_form, evaluate_view, flow
from app.links import validated
from app.session import take_fill
from app.studies import STUDIES
from app.take_away import table_twin
from editors.evaluate_result import EvaluateRequest

PAGE, STUDY = "evaluate", STUDIES["evaluate"]
METHODS = ("rome", "memit", "emmet", "pmet", "alphaedit", "rome+sadr", "ace", "ft")
MOST = 100_000
MODES = {"single": "One at a time", "batch": "All in one edit"}

st.title("How good is an edit?")
st.markdown(
    ":gray[The same facts written with several methods; then every prompt that should follow, and every one that "
    "should not move (efficacy, generalisation, specificity, portability).]"
)
request = None
if (wish := take_fill(PAGE)) is not None:
    st.session_state[f"{PAGE}.wish"] = EvaluateRequest(**wish)
    for name in ("source", "file"):
        st.session_state.pop(f"{PAGE}-{name}", None)
with st.container(border=True, key="evaluate-form"):
    try:
        cases = cases_form.draw(PAGE)
    except WorkbenchError as error:
        flow.refusal(error)
        cases = ()
    count, methods, button = st.columns([1.1, 4.6, 1.8], vertical_alignment="bottom")
    number = count.number_input("Cases at most", 1, MOST, 5, key="evaluate-n")
    chosen = methods.pills(
        "Methods",
        METHODS,
        format_func=evaluate_view.NAMES.__getitem__,
        selection_mode="multi",
        default=("rome", "memit"),
        key="evaluate-methods",
        wrap=True,
    )
    pressed = button.button(
        "Evaluate", type="primary", icon=":material/rule:", width="stretch", key="evaluate-go", disabled=not cases
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mode = st.segmented_control(
            "Write", list(MODES), format_func=MODES.__getitem__, default="single", key="evaluate-mode", required=True
        )
        free = st.toggle("Also let it go on freely", value=True, key="evaluate-free")
if cases:
    try:
        values = {"cases": cases[:number], "methods": tuple(chosen), "mode": mode, "free": free}
        request = validated(EvaluateRequest, values)
        if pressed:
            st.session_state.pop(f"{PAGE}.wish", None)
            flow.start(PAGE, STUDY, request, ())
    except WorkbenchError as error:
        flow.refusal(error)


def outcome() -> None:
    """Progress and scores."""
    flow.settle(PAGE)
    flow.progress(PAGE, None)
    flow.ended(PAGE)
    result = flow.result_for(PAGE, STUDY, st.session_state.get(f"{PAGE}.wish", request), ())
    if result is not None:
        evaluate_view.show(result)
        table_twin(PAGE, result)
    elif request is not None and ((job := flow.job_of(PAGE)) is None or job.over):
        st.markdown(
            "Nothing is scored yet. Press **Evaluate**; a case takes about as long as an edit, for each method."
        )


flow.watch(PAGE, outcome)
