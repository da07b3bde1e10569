"""Where one fact is kept, and where many are."""

from app.registry.entry import Entry, Page

TRACE = Entry(
    name="trace",
    question="Where is the fact kept?",
    does="find the states that bring a blurred answer back",
    request="analysis:TraceRequest",
    result="analysis:TraceResult",
    run="analysis:trace",
    resumable=True,
    page="trace",
    own_page=Page("Trace"),
    form="app.session.permalinks:own_request",
    table="app.studies.trace.table:trace_table",
    fields="app.studies.trace.table:trace_fields",
    summary="app.studies.trace.summary:trace_summary",
    rail="app.studies.trace.rail:trace_told",
    panels="app.studies.trace.panels:trace_panels",
    caption="app.studies.trace.captions:trace",
    from_case={"prompt": "app.sweeps.from_case:prompt", "subject": "app.sweeps.from_case:subject"},
    examples="app.studies.trace.gallery:examples",
)
AVERAGE = Entry(
    name="average",
    question="Where are facts kept?",
    does="trace many known facts and average by role of the token",
    request="analysis:AverageRequest",
    result="analysis:AverageResult",
    run="analysis:average",
    parts="trace",
    page="average",
    own_page=Page("Many facts"),
    form="app.session.permalinks:own_request",
    table="app.studies.trace.average_table:average_table",
    fields="app.studies.trace.average_table:average_fields",
    summary="app.studies.trace.average_summary:average_summary",
    rail="app.studies.trace.rail:average_told",
    panels="app.studies.trace.panels:average_panels",
    caption="app.studies.trace.captions:average",
    so_far="app.studies.trace.average_table:so_far",
    examples="app.studies.trace.gallery:average_examples",
)
