"""The neurons that say an answer."""

from app.registry.entry import Entry, Page

NEURONS = Entry(
    name="neurons",
    question="Which neurons say it?",
    does="find the neurons that raise an answer, and those that switch them on",
    request="analysis:NeuronsRequest",
    result="analysis:NeuronsResult",
    run="analysis:neurons",
    work="app.studies.neurons.work:neurons_work",
    chapter="methods/neurons.md",
    shown="app.studies.neurons.example:examples",
    page="neurons",
    own_page=Page("Neurons"),
    form="app.session.permalinks:own_request",
    table="app.studies.neurons.table:neurons_table",
    fields="app.studies.neurons.table:neurons_fields",
    summary="app.studies.neurons.summary:neurons_summary",
    rail="app.studies.neurons.rail:neurons_told",
    panels="app.studies.neurons.panels:neurons_panels",
    from_case={"prompt": "app.sweeps.from_case:prompt"},
    examples="app.studies.neurons.gallery:examples",
    bench="app.bench.neurons:BENCH",
)
