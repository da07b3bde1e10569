"""Where heads look after an edit, and what comes back when they are set back."""

from app.registry.entry import Entry, Page

DRIFT = Entry(
    name="drift",
    question="Where does it look now?",
    does="see what edits do to attention, and what that does to an answer",
    request="editors:DriftRequest",
    result="editors:DriftResult",
    run="editors:drift",
    resumable=True,
    on_edits=True,
    needs_edits=True,
    command="app.cli.study_on_edits",
    page="drift",
    own_page=Page("Drift"),
    form="app.session.permalinks:own_request",
    table="app.studies.drift.table:drift_table",
    fields="app.studies.drift.table:drift_fields",
    summary="app.studies.drift.summary:drift_summary",
    rail="app.studies.drift.rail:drift_told",
)
PATCH = Entry(
    name="patch",
    question="What comes back when heads are set back?",
    does="set heads back to where they looked before the edits",
    request="editors:PatchRequest",
    result="editors:PatchResult",
    run="editors:patch",
    on_edits=True,
    passing=True,
    needs_edits=True,
    command="app.cli.study_on_edits",
    table="app.studies.drift.table:patch_table",
    fields="app.studies.drift.table:patch_fields",
    summary="app.studies.drift.summary:patch_summary",
)
DRIFTS = Entry(
    name="drifts",
    question="Where does it look now, over all prompts that test it?",
    does="attention drift over all test prompts of edits",
    request="editors:DriftsRequest",
    result="editors:DriftsResult",
    run="editors:drifts",
    on_edits=True,
    needs_edits=True,
    command="app.cli.study_on_edits",
    page="drift",
    table="app.studies.drift.table:drifts_table",
    fields="app.studies.drift.table:drifts_fields",
    summary="app.studies.drift.summary:drifts_summary",
    rail="app.studies.drift.rail:drifts_told",
)
