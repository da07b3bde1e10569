"""A hop written over, and what hops and whole then say."""

from app.registry.entry import Entry

REACH = Entry(
    name="reach",
    question="Written over, how far does it reach?",
    does="write a fact of a chain with several methods and ask hop by hop and whole",
    request="editors:ReachRequest",
    result="editors:ReachResult",
    run="editors:reach",
    work="app.studies.reach.work:reach_work",
    on_edits=True,
    parts="reach",
    command="app.studies.reach.command",
    chapter="methods/reach.md",
    shown="app.studies.reach.example:examples",
    page="neurons",
    table="app.studies.reach.table:reach_table",
    fields="app.studies.reach.table:reach_fields",
    summary="app.studies.reach.summary:reach_summary",
    rail="app.studies.reach.rail:reach_told",
)
