"""What the study says of itself."""

from app.registry.entry import Entry, Page

SURPRISE = Entry(
    name="surprise",
    question="Which words surprise it?",
    does="find the words of a prompt that the model did not expect",
    request="palimpsest_surprise:SurpriseRequest",
    result="palimpsest_surprise:SurpriseResult",
    run="palimpsest_surprise:surprise",
    table="palimpsest_surprise.table:surprise_table",
    panels="palimpsest_surprise.figure:surprise_panels",
    page="surprise",
    own_page=Page("Surprise", script="palimpsest_surprise.page"),
    form="app.session.permalinks:own_request",
    rail="palimpsest_surprise.rail:surprise_told",
    from_case={"prompt": "app.sweeps.from_case:prompt"},
)
