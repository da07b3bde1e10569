"""What each state would say."""

from app.registry.entry import Entry, Page

LENS = Entry(
    name="lens",
    question="What would each state say?",
    does="read every state of a prompt through the logit lens",
    request="analysis:LensRequest",
    result="analysis:LensResult",
    run="analysis:logit_lens",
    work="app.studies.lens.work:lens_work",
    chapter="methods/lens.md",
    shown="app.studies.lens.example:examples",
    page="lens",
    own_page=Page("Lens"),
    form="app.session.permalinks:own_request",
    table="app.studies.lens.table:lens_table",
    fields="app.studies.lens.table:lens_fields",
    summary="app.studies.lens.summary:lens_summary",
    rail="app.studies.lens.rail:lens_told",
    panels="app.studies.lens.panels:lens_panels",
    caption="app.studies.lens.captions:lens",
    from_case={"prompt": "app.sweeps.from_case:prompt"},
    examples="app.studies.lens.gallery:examples",
)
