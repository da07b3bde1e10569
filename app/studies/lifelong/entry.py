"""Edits one upon the other."""

from app.registry.entry import Entry

LIFELONG = Entry(
    name="lifelong",
    question="How good is an edit? One upon the other",
    does="write facts one upon the other, and see how long they and the model last",
    request="editors:LifelongRequest",
    result="editors:LifelongResult",
    run="editors:lifelong",
    work="app.studies.lifelong.work:lifelong_work",
    resumable=True,
    command="app.cli.study_on_cases",
    chapter="methods/lifelong.md",
    shown="app.studies.lifelong.example:examples",
    page="evaluate",
    table="app.studies.lifelong.table:lifelong_table",
    fields="app.studies.lifelong.table:lifelong_fields",
    summary="app.studies.lifelong.summary:lifelong_summary",
    rail="app.studies.lifelong.rail:lifelong_told",
    panels="app.studies.lifelong.panels:lifelong_panels",
    caption="app.studies.lifelong.captions:lifelong",
    examples="app.studies.lifelong.gallery:examples",
)
