"""Memory or the page: on one prompt, on many facts, by roads, and carried over to other facts."""

from app.registry.entry import Entry, Page

HEADS = Entry(
    name="heads",
    question="Memory or the page?",
    does="find the heads that speak for memory and for the page, on one prompt",
    request="analysis:HeadsRequest",
    result="analysis:HeadsResult",
    run="analysis:heads_on_prompt",
    page="conflict",
    own_page=Page("Conflict"),
    form="app.session.permalinks:own_request",
    table="app.studies.conflict.table:heads_table",
    fields="app.studies.conflict.table:heads_fields",
    summary="app.studies.conflict.summary:heads_summary",
    rail="app.studies.conflict.rail:heads_told",
    panels="app.studies.conflict.panels:heads_panels",
    from_case={
        "prompt": "app.studies.conflict.from_case:page_and_prompt",
        "subject": "app.sweeps.from_case:subject",
        "context": "app.studies.conflict.from_case:context",
        "memory": "app.studies.conflict.from_case:memory",
    },
    examples="app.studies.conflict.gallery:examples",
)
CONFLICT = Entry(
    name="conflict",
    question="Memory or the page? Over many facts",
    does="find such heads on many conflicts and test what silencing them does",
    request="analysis:ConflictRequest",
    result="analysis:ConflictResult",
    run="analysis:conflict",
    resumable=True,
    page="conflict",
    table="app.studies.conflict.table:outcomes_table",
    fields="app.studies.conflict.table:conflict_fields",
    summary="app.studies.conflict.summary:conflict_summary",
    rail="app.studies.conflict.rail:conflict_told",
    panels="app.studies.conflict.panels:conflict_panels",
)
KNOCKOUT = Entry(
    name="knockout",
    question="By which road does each answer arrive?",
    does="cut attention edges and modules and see which answer suffers",
    request="analysis:KnockoutRequest",
    result="analysis:KnockoutResult",
    run="analysis:knock_out",
    page="conflict",
    fills="app.studies.conflict.form:of_its_facts",
    table="app.studies.conflict.table:knockout_table",
    fields="app.studies.conflict.table:knockout_fields",
    summary="app.studies.conflict.summary:knockout_summary",
    rail="app.studies.conflict.rail:knockout_told",
    panels="app.studies.conflict.panels:knockout_panels",
    caption="app.studies.conflict.captions:knockout",
)
TRANSFER = Entry(
    name="transfer",
    question="Do heads found on some facts act on others?",
    does="test heads found on one relation or form on others",
    request="analysis:TransferRequest",
    result="analysis:TransferResult",
    run="analysis:transfer",
    table="app.studies.conflict.table:transfer_table",
    fields="app.studies.conflict.table:transfer_fields",
    summary="app.studies.conflict.summary:transfer_summary",
)
