"""How good is an edit? Methods side by side by every protocol; a stream of edits; a quiz of five dimensions."""

from functools import partial
from typing import Any

import streamlit as st

from analysis import WorkbenchError
from analysis.study import Request
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import chat_form, page, run_flow
from app.session.fields import field, slot, spec, take_fill
from app.session.permalinks import validated
from app.shell.gallery import examples
from app.shell.open_example import open_example
from app.studies.evaluate import case_source
from app.studies.evaluate import view as evaluate_view
from app.studies.lifelong import view as lifelong_view
from app.studies.quiz import view as quiz_view
from editors.cases.case import Case
from editors.registry.methods import writing
from editors.registry.versions import EXTRAS, compared, extras_in, label_of, method_in, offers, version_of

PAGE = "evaluate"
KINDS = {"evaluate": "Methods side by side", "lifelong": "One edit upon the other", "quiz": "A quiz in many forms"}
ABOUT = {
    "evaluate": "The same facts written with several methods; then every prompt that should follow, and every one that "
    "should not move (efficacy, generalisation, specificity, portability).",
    "lifelong": "Facts written one upon the other and never taken back: what is left of the first, and of the model "
    "(retention, drawdown, mute rate).",
    "quiz": "Each fact asked plainly, worded again, to affirm, to deny, to choose, turned round, two hops on, and "
    "doubted (HalluEditBench’s five dimensions). Facts of ours only.",
}
VIEWS = {"evaluate": evaluate_view.show, "lifelong": lifelong_view.show, "quiz": quiz_view.show}
WAITS = {
    "evaluate": "Nothing is scored yet. Press **Evaluate**; a case takes about as long as an edit, for each method.",
    "lifelong": "Nothing is written yet. Press **Evaluate**; a fact takes an edit, and all are asked again at times.",
    "quiz": "Nothing is asked yet. Press **Evaluate**; a case takes an edit and some fifteen answers, for each method.",
}
MOST = 100_000
MODES = {"single": "One at a time", "batch": "All in one edit"}
FORM: dict[str, dict[str, Any]] = {
    "evaluate": {"kind": "evaluate", "n": 5, "methods": ["rome", "memit"], "mode": "single", "free": True},
    "lifelong": {"method": "memit", "extras": []},
    "quiz": {"methods": ["rome", "memit"], "turns": 3},
}
"""What the fields of each kind say at first; kind and number are those of all."""


def seed() -> None:
    """Fill the fields: from what was just opened, else as they were left, else as `FORM` says."""
    state = st.session_state
    for study, fields in FORM.items():
        for held, value in fields.items():
            state.setdefault(slot(study, held), value)
        if (wish := take_fill(study)) is not None:
            opened = state[slot(PAGE, "wish")] = STUDIES[study].request(**wish)
            state[slot(PAGE, "kind")], state[slot(PAGE, "n")] = study, len(opened.cases)
            state[slot(PAGE, "chat")] = wish.get("chat")
            for held in fields.keys() & wish.keys():
                state[slot(study, held)] = wish[held]
            if study == "lifelong":
                state[slot(study, "method")] = method_in(opened.method)
                state[slot(study, "extras")] = list(extras_in(opened.method))
            state.pop(f"{PAGE}-source", None)
            state.pop(f"{PAGE}-file", None)


def settings(kind: str, cases: tuple[Case, ...], number: int, place: Any) -> Request | None:
    """The request that the form says, None without cases; the methods stand in `place`, the rest under it."""
    if kind == "lifelong":
        method = place.pills(
            "Method", writing(), format_func=label_of, **field("lifelong", "method"), required=True, wrap=True
        )
        asked = {"cases": cases[:number], "method": with_extras(method), "chat": chat_form.value(PAGE)}
        return validated(STUDIES[kind].request, asked) if cases else None
    opened = [one for one in st.session_state[slot(kind, "methods")] if one not in compared()]
    chosen = place.pills(
        "Methods", [*compared(), *opened], format_func=label_of, selection_mode="multi", **field(kind, "methods"),
        wrap=True,
    )  # fmt: skip
    values: dict[str, Any] = {"cases": cases[:number], "methods": tuple(chosen), "chat": chat_form.value(PAGE)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if kind == "quiz":
            values["turns"] = st.number_input("Times it is doubted", 0, 10, **field("quiz", "turns"), width=180)
        else:
            values["mode"] = st.segmented_control(
                "Write", list(MODES), format_func=MODES.__getitem__, **field(PAGE, "mode"), required=True
            )
            values["free"] = st.toggle("Also let it go on freely", **field(PAGE, "free"))
    return validated(STUDIES[kind].request, values) if cases else None


def with_extras(method: str) -> str:
    """The method with what is chosen beside it."""
    offered = [extra for extra in EXTRAS if offers(method, extra)]
    place = slot("lifelong", "extras")
    st.session_state[place] = [extra for extra in st.session_state[place] if extra in offered]
    beside = st.pills(
        "Beside it", offered, format_func=lambda extra: EXTRAS[extra].label, selection_mode="multi",
        **field("lifelong", "extras"), wrap=True,
    ) if offered else []  # fmt: skip
    return version_of(method, beside)


st.title("How good is an edit?")
seed()
kind = st.segmented_control(
    "Look at", list(KINDS), format_func=KINDS.__getitem__, **field(PAGE, "kind"), required=True,
    label_visibility="collapsed", wrap=True,
)  # fmt: skip
st.markdown(f":gray[{ABOUT[kind]}]")
request = None
with st.container(border=True, key="evaluate-form"):
    try:
        cases = case_source.draw(PAGE)
    except WorkbenchError as error:
        run_flow.refusal(error)
        cases = ()
    chat_form.draw(PAGE)
    count, methods, button = st.columns([1.1, 4.6, 1.8], vertical_alignment="bottom")
    number = count.number_input("Cases at most", 1, MOST, **field(PAGE, "n"))
    pressed = run_flow.go(
        button,
        kind,
        STUDIES[kind],
        "Evaluate",
        type="primary",
        icon=":material/rule:",
        width="stretch",
        key="evaluate-go",
        disabled=not cases,
    )
    try:
        request = settings(kind, cases, number, methods)
    except WorkbenchError as error:
        run_flow.refusal(error)
if pressed and request is not None:
    try:
        st.session_state.pop(slot(PAGE, "wish"), None)
        run_flow.start(kind, STUDIES[kind], request, ())
    except WorkbenchError as error:
        run_flow.refusal(error)


def offer(kind: str) -> None:
    """A finished example of the kind, where one is stored for this model."""
    stored = [one for one in examples() if one.study == kind]
    if not stored or services().find(STUDIES[kind], stored[0].request, spec()) is None:
        return
    title = stored[0].title
    if st.button(
        f"Look at a finished one: {title[0].lower()}{title[1:]}", icon=":material/visibility:", key="evaluate-example"
    ):
        open_example(stored[0])


def waits(kind: str, request: Request | None) -> None:
    """What to press; not while a run of the kind waits or goes on."""
    if request is not None and ((job := run_flow.job_of(kind)) is None or job.over):
        st.markdown(WAITS[kind])
        offer(kind)


def outcome(kind: str, request: Request | None) -> None:
    """Progress and scores."""
    wish = st.session_state.get(slot(PAGE, "wish"), request)
    shown = wish if isinstance(wish, STUDIES[kind].request) else request
    page.outcome(kind, STUDIES[kind], shown, None, VIEWS[kind], partial(waits, kind, request), edits=())


run_flow.watch(kind, partial(outcome, kind, request))
