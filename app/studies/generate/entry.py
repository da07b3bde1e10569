"""How a text goes on."""

from app.registry.entry import Entry, Page

GENERATE = Entry(
    name="generate",
    question="How does it go on?",
    does="let a model go on from a prompt, with edits",
    request="editors:GenerateRequest",
    result="editors:Generated",
    run="editors:generate",
    work="app.studies.generate.work:generate_work",
    on_edits=True,
    command="app.studies.generate.command",
    chapter="methods/generate.md",
    page="generate",
    own_page=Page("Goes on", visibility="hidden"),
    form="app.session.permalinks:own_request",
    table="app.studies.generate.table:generated_table",
    fields="app.studies.generate.table:generated_fields",
    summary="app.studies.generate.summary:generated_summary",
    rail="app.studies.generate.rail:generated_told",
    from_case={"prompt": "app.sweeps.from_case:prompts"},
)
