"""Where does it look now? Attention drift of an edit: see it, undo it head by head, write the edit without it."""

import streamlit as st

from analysis.internals.head_names import parse_head
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import edit_stack, page, run_flow
from app.session.export_row import take_away
from app.session.fields import lasting
from app.studies.drift import form as drift_form
from app.studies.drift import view as drift_view
from editors.attention_drift.result import DriftResult, DriftsRequest, DriftsResult, PatchRequest
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite

PAGE, STUDY, PATCH, ALL, EDIT = "drift", STUDIES["drift"], STUDIES["patch"], STUDIES["drifts"], STUDIES["edit"]
PARTS = ("drift-edit", "drift-patch", "drift-cure", "drift-cured", "drift-all")
EXAMPLE = EditRequest(
    facts=(Rewrite(prompt="The {} is a famous landmark in the city of", subject="Eiffel Tower", target="Rome"),)
)
GAMMA = 0.1

drift_form.prepare()
st.title("Where does it look now?")
st.markdown(
    ":gray[An edit makes heads look at the edited subject more than they did. Other facts in the same context then "
    "break (attention drift).]"
)
pressed = drift_form.draw() if edit_stack.on() else False
request = page.asked(PAGE, STUDY, drift_form.request, pressed) if edit_stack.on() else None


def outcome() -> None:
    """Everything that runs, redrawn by itself while it goes on."""
    for name in PARTS:
        run_flow.settle(name)
    if not edit_stack.on():
        earlier()
        first_edit()
        return
    page.outcome(PAGE, STUDY, request, "cells", show, waits)


def waits() -> None:
    """What to press, and what was found over all prompts before."""
    run_flow.nothing_yet(PAGE, "Nothing looked at yet. Press **Look**.")
    earlier()


def show(result: DriftResult) -> None:
    """The heads that turned, and what may be done about them."""
    drift_view.sentence(result)
    chosen = tuple(st.session_state.get("drift-set-back") or ())
    head = drift_view.head_map(result, [parse_head(name) for name in chosen])
    drift_view.card(result, head)
    st.markdown("## Set heads back")
    set_back(result)
    drift_view.experiments(result)
    st.markdown("## The same edit, with attention held back")
    cure(result)
    st.markdown("## Over all prompts that test it")
    over_all()
    take_away(result)


def earlier() -> None:
    """What was found over all prompts in the run that was opened."""
    if (found := opened_over_all()) is not None:
        st.markdown("## Over all prompts that test it")
        drift_view.over_all(found)


def opened_over_all() -> DriftsResult | None:
    """The run over all prompts that was opened, if one was."""
    kept = st.session_state.get("drifts.opened")
    return services().store.load(ALL, kept[1]) if kept else None


def first_edit() -> None:
    """No edit is on: write one to look at."""
    run_flow.progress("drift-edit", None)
    run_flow.ended("drift-edit")
    job = run_flow.job_of("drift-edit")
    if job is not None and job.state == "done" and st.session_state.pop("drift.fresh", False):
        edit_stack.write_over(job.result)
        st.rerun()
    if job is None or job.over:
        fact = EXAMPLE.facts[0]
        st.markdown(
            f"No edit is on. Switch one on in the margin, write one on the Edit page, or write an example: "
            f"{run_flow.escape(fact.text)} :orange[{fact.target}]."
        )
        if st.button("Write the example", type="primary", icon=":material/edit_note:", key="drift-example"):
            st.session_state["drift.fresh"] = True
            run_flow.start("drift-edit", EDIT, EXAMPLE, ())
            st.rerun()


def set_back(result: DriftResult) -> None:
    """Heads as switches; the answer of each choice is computed when it is made."""
    heads = drift_view.toggles(result)
    if not heads:
        drift_view.runs(result.said, drift_view.RUNS, "drift-two")
        return
    asked = result.request
    fields = asked.model_dump(include={"prompt", "subject", "occurrence", "answer", "edited"}) | asked.framing()
    wanted = PatchRequest(**fields, heads=heads)
    found = run_flow.result_for("drift-patch", PATCH, wanted)
    job = run_flow.job_of("drift-patch")
    if found is not None:
        drift_view.back(found)
    elif job is None or job.request != wanted:
        run_flow.start("drift-patch", PATCH, wanted)
        st.rerun()
    else:
        run_flow.progress("drift-patch", "runs")
        run_flow.ended("drift-patch")


def cure(result: DriftResult) -> None:
    """The uppermost edit found again with its attention held back, and the same prompt under it."""
    *others, top = edit_stack.on()
    weight, button = st.columns([1, 2], vertical_alignment="bottom")
    gamma = weight.number_input(
        "Weight γ (SADR)", 0.001, 100.0, GAMMA, format="%.3f", **lasting("drift-gamma"),
        help="Heads that look at the subject more than any did before pay for it in the search for the new value.",
    )  # fmt: skip
    again = top.request.model_copy(update={"sadr": float(gamma)})
    below = edit_stack.below(again)
    if button.button("Write it held back", icon=":material/edit_note:", key="drift-hold"):
        run_flow.start("drift-cure", EDIT, again, below)
        st.rerun()
    cured: Edit | None = run_flow.result_for("drift-cure", EDIT, again, below)
    for name, unit in (("drift-cure", None), ("drift-cured", "cells")):
        run_flow.progress(name, unit)
        run_flow.ended(name)
    if not isinstance(cured, Edit):
        return
    edits, plain = (*others, cured), result.request.model_copy(update={"grids": ()})
    found = run_flow.result_for("drift-cured", STUDY, plain, edits)
    if found is not None:
        drift_view.side_by_side(result, found, float(gamma))
        if st.button("Put it in the other’s place", icon=":material/swap_horiz:", key="drift-swap"):
            edit_stack.replace_top(cured)
            st.rerun()
        return
    job = run_flow.job_of("drift-cured")
    if job is None or job.request != plain or [one.key for one in job.edits] != [one.key for one in edits]:
        run_flow.start("drift-cured", STUDY, plain, edits)
        st.rerun()


def over_all() -> None:
    """All test prompts of the edits that are on."""
    wanted = DriftsRequest(**(request.framing() if request else {}))
    if st.button("Look at all of them", icon=":material/stacks:", key="drift-all-go"):
        run_flow.start("drift-all", ALL, wanted)
        st.rerun()
    found = run_flow.follow("drift-all", ALL, wanted, "prompts") or opened_over_all()
    if found is not None:
        drift_view.over_all(found)


run_flow.watch(PAGE, outcome, also=PARTS)
