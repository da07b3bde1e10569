"""Which layer? A few facts written at one layer after another, drawn beside what a trace finds."""

import streamlit as st

from analysis import KnownRequest, WorkbenchError, read_facts
from analysis.facts.facts import another_object
from app.charts.marked import escape
from app.charts.palette import live
from app.components import theme_seen
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import page, run_flow
from app.session.export_row import take_away
from app.session.fields import spec
from app.studies.edit.forms import form as edit_form
from app.studies.layers import captions
from app.studies.layers.figure import layer_outcome
from editors.cases.case import counted
from editors.edit.request import Rewrite
from editors.layer_sweep.result import LayersRequest, LayersResult
from editors.registry.methods import of_one_layer

PAGE, STUDY = "layers", STUDIES["layers"]
FACTS = 4


def draw() -> None:
    """The question, the button, the figure; nothing runs before the button is pressed."""
    st.markdown("## Which layer should it be?")
    st.markdown(
        "A trace shows where a fact is read from; that is not where it is best written. Here a few facts are written "
        "at every third layer, one at a time. :gray[edit-layer sweep; Hase et al., 2023]"
    )
    try:
        request = _request()
    except WorkbenchError as error:
        run_flow.refusal(error)
        return
    if run_flow.go(
        st, PAGE, STUDY, f"Try it on {counted(len(request.facts), 'fact')}", icon=":material/stacks:", key="layers-go"
    ):
        run_flow.start(PAGE, STUDY, request, ())
    page.outcome(PAGE, STUDY, request, "edits", _show, edits=())


def _request() -> LayersRequest:
    """The fact of the form, with facts of the store that the model is known to know beside it."""
    form = edit_form.form()
    own = form.asked().facts[0]
    method = form.method if form.method in of_one_layer() else LayersRequest.model_fields["method"].default
    asked = services().find(STUDIES["facts"], KnownRequest(**form.framing()), spec(), ())
    sure = set(asked.known(0.3)) if asked is not None else None
    others: list[Rewrite] = []
    relations: set[str] = set()
    for fact in read_facts():
        fits = (sure is None or fact.id in sure) and fact.relation not in relations and fact.subject != own.subject
        if fits and len(others) < FACTS - 1:
            others.append(Rewrite.of(fact, another_object(fact)))
            relations.add(fact.relation)
    return LayersRequest(facts=(own, *others), method=method, seed=form.seed, **form.framing())


def _show(result: LayersResult) -> None:
    figure = layer_outcome(result, live())
    follows, _ = result.mean(result.greedy["rewrite"])
    said = ", ".join(
        f"layer {layer} {share:.0%}" for layer, share in zip(result.layers, follows, strict=True) if share == share
    )
    st.plotly_chart(
        figure, key=f"layers-figure-{theme_seen()}", alt=f"Facts that follow by layer: {said}.",
        config={"displayModeBar": False},
    )  # fmt: skip
    if note := captions.layers(result):
        st.markdown(note)
    for sentence in result.inseparable():
        st.markdown(f":orange[:material/warning:] {escape(sentence)}")
    take_away(result)
