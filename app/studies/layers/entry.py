"""At which layer a fact is best written."""

from app.registry.entry import Entry

LAYERS = Entry(
    name="layers",
    question="Which layer should it be?",
    does="try at which layer a fact is best written",
    request="editors:LayersRequest",
    result="editors:LayersResult",
    run="editors:sweep_layers",
    work="app.studies.layers.work:layers_work",
    command="app.studies.layers.command",
    chapter="methods/layers.md",
    shown="app.studies.layers.example:examples",
    page="edit",
    form="app.studies.edit.forms.form:form_of_layers",
    table="app.studies.layers.table:layers_table",
    fields="app.studies.layers.table:layers_fields",
    summary="app.studies.layers.summary:layers_summary",
    rail="app.studies.layers.rail:layers_told",
    panels="app.studies.layers.panels:layers_panels",
    caption="app.studies.layers.captions:layers",
    from_case={"facts": "app.sweeps.from_case:facts"},
)
