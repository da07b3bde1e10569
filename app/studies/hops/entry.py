"""Chains of two facts, hop by hop and whole."""

from app.registry.entry import Entry

HOPS = Entry(
    name="hops",
    question="Does it know each hop, and the whole?",
    does="ask chains of two facts, hop by hop and whole",
    request="analysis:HopsRequest",
    result="analysis:HopsResult",
    run="analysis:hops",
    work="app.studies.hops.work:hops_work",
    resumable=True,
    chapter="methods/hops.md",
    shown="app.studies.hops.example:examples",
    page="neurons",
    form="app.studies.hops.view:asked_whole",
    table="app.studies.hops.table:hops_table",
    fields="app.studies.hops.table:hops_fields",
    summary="app.studies.hops.summary:hops_summary",
    rail="app.studies.hops.rail:hops_told",
    panels="app.studies.hops.panels:hops_panels",
    caption="app.studies.hops.captions:most",
)
