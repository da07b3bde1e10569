"""A fact written over, and what belongs to recipes."""

from app.registry.entry import Command, Entry, Page

EDIT = Entry(
    name="edit",
    question="Write over a fact",
    does="write a fact over what the model says",
    request="editors:EditRequest",
    result="editors:Edit",
    run="editors:write",
    work="app.studies.edit.work:edit_work",
    on_edits=True,
    command="app.studies.edit.commands.command",
    more_commands=(
        Command("apply", "app.studies.edit.commands.command", "make an adapter, a checkpoint or a script of a recipe"),
        Command("recipe", "app.studies.edit.commands.command", "show, verify and compare recipes"),
        Command(
            "stats", "app.studies.edit.commands.command", "measure what layers are used to reading (second moments)"
        ),
        Command("prune", "app.studies.edit.commands.prune_command", "silence heads, as an edit"),
    ),
    chapter="methods/edit.md",
    shown="app.studies.edit.example:examples",
    page="edit",
    own_page=Page("Edit"),
    elsewhere="app.studies.edit.rail:made_on",
    words="app.studies.edit.rail:edit_words",
    form="app.studies.edit.forms.form:form_of_edit",
    table="app.studies.edit.table:edit_table",
    rail="app.studies.edit.rail:edit_told",
    panels="app.studies.edit.panels:edit_panels",
    from_case={"facts": "app.sweeps.from_case:facts"},
    bench="app.bench.editing:BENCH",
)
