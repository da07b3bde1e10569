"""Who else moved with an edit, by how near their keys are."""

from app.registry.entry import Entry

MOVED = Entry(
    name="moved",
    question="Who else moved?",
    does="see who else moves with an edit, and who would under other protection",
    request="editors:MovedRequest",
    result="editors:MovedResult",
    run="editors:moved",
    work="app.studies.moved.work:moved_work",
    on_edits=True,
    needs_edits=True,
    command="app.cli.study_on_edits",
    chapter="methods/edit.md",
    page="edit",
    table="app.studies.moved.table:moved_table",
    fields="app.studies.moved.table:moved_fields",
    summary="app.studies.moved.summary:moved_summary",
    rail="app.studies.moved.rail:moved_told",
    panels="app.studies.moved.panels:moved_panels",
)
