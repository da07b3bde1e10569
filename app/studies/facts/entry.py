"""Which stored facts a model knows."""

from app.registry.entry import Entry, Page

FACTS = Entry(
    name="facts",
    question="Which facts does it know?",
    does="ask a model which facts it knows",
    request="analysis:KnownRequest",
    result="analysis:KnownResult",
    run="analysis:known_facts",
    work="app.studies.facts.work:facts_work",
    command="app.studies.facts.command",
    chapter="methods/facts.md",
    shown="app.studies.facts.example:examples",
    page="models",
    own_page=Page("Models"),
    table="app.studies.facts.table:known_table",
    fields="app.studies.facts.table:known_fields",
    summary="app.studies.facts.summary:known_text",
    rail="app.studies.facts.rail:known_told",
)
