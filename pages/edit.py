"""Write over a fact: one fact, a method, before and after, and what else moved."""

from contextlib import suppress
from functools import partial

import streamlit as st

from analysis import TraceRequest, WorkbenchError
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import edit_stack, run_flow
from app.session.fields import say
from app.studies.edit import view as edit_view
from app.studies.edit.forms import form as edit_form
from app.studies.edit.written import measuring, recipe_download, solving
from app.studies.generate import view as generate_view
from app.studies.layers import view as layer_help
from app.studies.moved import view as moved_view
from app.studies.trace import view as trace_view
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.generation.result import GenerateRequest

PAGE, STUDY, TRACE = edit_form.PAGE, STUDIES["edit"], STUDIES["trace"]

edit_form.prepare()
st.title("Write over a fact")
pressed = edit_form.draw()
request: EditRequest | None = None
try:
    form = edit_form.form()
    say(PAGE, form)
    form.fits()
    if pressed:
        request = form.asked()
        for sentence in edit_stack.stack().conflicts(request):
            st.markdown(f":orange[:material/warning:] {run_flow.escape(sentence)}")
        run_flow.start(PAGE, STUDY, request, edit_stack.below(request))
        st.session_state[f"{PAGE}.fresh"] = True
except WorkbenchError as error:
    run_flow.refusal(error)
    edit_form.suggestion(error)
with suppress(WorkbenchError):  # said above, when Write is pressed
    request = request or edit_form.form().asked()
if opened := st.session_state.pop(f"{PAGE}.open", None):
    st.session_state["shown"] = opened


def shown_edit() -> Edit | None:
    """The edit the page is about: the one just found, or the one opened."""
    job = run_flow.job_of(PAGE)
    if job is not None and job.state == "done":
        return job.result
    if job is not None and not job.over:
        return None
    key = st.session_state.get("shown")
    opened = services().store.load(STUDY, key) if key else None
    return opened or _on_the_stack()


def _on_the_stack() -> Edit | None:
    """The visitor's edit of the form's fact, after a reload; else the uppermost one."""
    edits = [layer.edit for layer in reversed(edit_stack.stack().layers) if not layer.edit.request.silences]
    own = request.facts[0] if request is not None else None
    return next((edit for edit in edits if edit.request.facts[0] == own), edits[0] if edits else None)


def outcome() -> None:
    """Progress and live curve, then the edit."""
    if request is not None and run_flow.join(PAGE, STUDY, request, edit_stack.below(request)):
        st.session_state[f"{PAGE}.fresh"] = True
    run_flow.settle(PAGE)
    run_flow.progress(PAGE, None)
    run_flow.ended(PAGE)
    job = run_flow.job_of(PAGE)
    if job is not None and not job.over:
        if job.partial is not None:
            edit_view.live_search(job.partial)
        return
    edit = shown_edit()
    if request is not None and (edit is None or edit.request.facts != request.facts):
        run_flow.price(STUDY, request)
    if edit is None:
        st.markdown("Nothing written yet. Press **Write**.")
        return
    if st.session_state.pop(f"{PAGE}.fresh", False) and job is not None:
        try:
            edit_stack.write_over(edit)
            st.rerun()
        except WorkbenchError as error:
            run_flow.refusal(error)
    edit_view.show(edit)


def own_prompts(edit: Edit) -> None:
    """A person's own prompts, continued before and after."""
    st.markdown("## How does it go on?")
    st.markdown(":gray[Your own beginnings, as the model was trained and with the edits that are on in the margin.]")
    subject = edit.request.facts[0].subject
    generate_view.prepare(GenerateRequest(prompt=(f"{subject} is",), tokens=24), linked=False)
    wanted = generate_view.asked(generate_view.draw(), linked=False)
    run_flow.watch(generate_view.PAGE, lambda: generate_view.outcome(wanted))


def retrace() -> None:
    """The same prompt traced without the edit and with it, one above the other."""
    edit = shown_edit()
    if edit is None:
        return
    fact = edit.request.facts[0]
    request = TraceRequest(
        prompt=fact.text,
        subject=fact.subject,
        occurrence=0,
        kinds=("state", "mlp", "attn"),
        samples=3,
        **edit.request.framing(),
    )
    below = edit_stack.found_on(edit)
    stacks = {"retrace-before": below, "retrace-after": (*below, edit)}
    st.markdown("## Where is it kept now?")
    if st.button("Trace it before and after", icon=":material/grid_on:", key="edit-retrace"):
        for name, edits in stacks.items():
            run_flow.start(name, TRACE, request, edits)
    found = [
        run_flow.follow(
            name, TRACE, request, "cells", edits=edits, preview=True, priced=name == "retrace-after"
        )  # both take as long, and are told of once
        for name, edits in stacks.items()
    ]
    if any(result is not None for result in found):
        trace_view.before_and_after([result for result in found if result is not None])


run_flow.watch(PAGE, outcome)
solving.draw()
if (edit := shown_edit()) is not None:
    if edit.brought:
        run_flow.watch(measuring.PAGE, partial(measuring.draw, edit))
    own_prompts(edit)
    edit_view.beneath(edit)
    run_flow.watch(moved_view.PAGE, partial(moved_view.draw, edit))
    run_flow.watch("retrace-before", retrace, also=("retrace-after",))
    run_flow.watch(layer_help.PAGE, layer_help.draw)
    run_flow.watch(recipe_download.PAGE, lambda: recipe_download.take_away(edit))
