"""Memory or the page: the heads that speak for each, and who wins when some fall silent."""

import streamlit as st

from analysis import HeadsRequest, HeadsResult, WorkbenchError
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import edit_stack, page, run_flow
from app.session.export_row import table_twin, take_away
from app.session.fields import adopt
from app.studies.conflict import form as conflict_form
from app.studies.conflict import view as conflict_view
from app.studies.conflict.view import Head

PAGE, STUDY = conflict_form.PAGE, STUDIES["heads"]
MANY, KNOCKOUT, EDIT = STUDIES["conflict"], STUDIES["knockout"], STUDIES["edit"]

for name in ("conflict", "knockout"):
    adopt(name)
conflict_form.prepare()
if opened := st.session_state.pop(f"{PAGE}.open", None):
    st.session_state["shown"] = opened
st.title("Memory or the page?")
st.markdown(
    ":gray[A sentence contradicts what the model knows. Which attention heads speak for each answer, and who wins when "
    "some fall silent?]"
)
pressed = conflict_form.draw()
edits = conflict_view.others(edit_stack.on())


def begun(_: HeadsRequest) -> None:
    """No head is chosen before there are any."""
    st.session_state.pop("heads.head", None)


request = page.asked(PAGE, STUDY, conflict_form.request, pressed, edits=edits, begun=begun)


def outcome() -> None:
    """Progress, then map, answers and card."""
    waits = "No heads found yet. Press **Find the heads**."
    page.outcome(PAGE, STUDY, request, "steps", show, waits, edits=edits)


def show(result: HeadsResult) -> None:
    """The map, who wins, and the card of a head."""
    many = run_flow.result_for("conflict", MANY, conflict_form.many_request(), edits)
    many = many if many is not None and many.scored else None
    conflict_view.opening(result)
    conflict_view.the_map(result, many)
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        silent = conflict_view.who_wins(result, many)
        if silent:
            keep(result, silent, "Keep these silent, as an edit", "heads-keep")
    with right, st.container(border=True, key="heads-card"):
        head = conflict_view.card(result, many)
        keep(result, [head], "Keep it silent, as an edit", "heads-keep-one")


def keep(result: HeadsResult, heads: list[Head], label: str, key: str) -> None:
    """A button that makes an edit of silenced heads."""
    there = set(heads) <= set(conflict_view.pruned(edit_stack.on()))
    if st.button(label, icon=":material/volume_off:", key=key, disabled=there):
        try:
            run_flow.start("prune", EDIT, conflict_view.keep_request(result, heads), ())
            st.session_state["prune.fresh"] = True
            st.rerun()
        except WorkbenchError as error:
            run_flow.refusal(error)


def kept() -> None:
    """The edit under way, and then on the stack."""
    run_flow.settle("prune")
    run_flow.progress("prune", "steps")
    run_flow.ended("prune")
    job = run_flow.job_of("prune")
    if job is not None and job.state == "done" and st.session_state.pop("prune.fresh", False):
        try:
            edit_stack.write_over(job.result)
            st.rerun()
        except WorkbenchError as error:
            run_flow.refusal(error)


def on_many_facts() -> None:
    """The same question over many facts: found on some, tested on others."""
    st.markdown("## Does it hold for other facts?")
    st.markdown(
        ":gray[Heads are found on some facts, how many to silence is chosen on others, and the answers are counted on "
        "others again.]"
    )
    conflict_form.draw_many()
    asked = conflict_form.many_request()
    found = run_flow.follow("conflict", MANY, asked, None, edits=edits)
    if found is None and run_flow.go(
        st, "conflict", MANY, "Test on other facts", icon=":material/stacks:", key="conflict-go"
    ):
        start("conflict", MANY, asked)
    if found is not None and found.scored:
        st.markdown(
            f"Memory heads :blue[{', '.join(found.memory_heads[:5])}] · page heads "
            f":orange[{', '.join(found.context_heads[:5])}] :gray[:small[(layer.head); the shares stand under the "
            "sliders above]]"
        )
    if found is not None and found.outcomes:
        take_away(found)
        table_twin(found)


def by_which_road() -> None:
    """Attention cut, layer by layer."""
    st.markdown("## By which road does each arrive?")
    asked = conflict_form.roads_request()
    found = run_flow.follow("knockout", KNOCKOUT, asked, "facts", edits=edits)
    if found is None and run_flow.go(
        st, "knockout", KNOCKOUT, "Cut the roads", icon=":material/content_cut:", key="knockout-go"
    ):
        start("knockout", KNOCKOUT, asked)
    if found is not None:
        conflict_view.roads(found)
        take_away(found)
        table_twin(found)


def start(page: str, study, asked) -> None:
    """Queue one of the studies over facts."""
    try:
        run_flow.start(page, study, asked, edits)
        st.rerun()
    except WorkbenchError as error:
        run_flow.refusal(error)


run_flow.watch("prune", kept)
run_flow.watch(PAGE, outcome)
found = services().find(STUDY, request, run_flow.spec(), edits) if request is not None else None
if found is not None or any(f"{name}.opened" in st.session_state for name in ("conflict", "knockout")):
    run_flow.watch("conflict", on_many_facts)
    run_flow.watch("knockout", by_which_road)
