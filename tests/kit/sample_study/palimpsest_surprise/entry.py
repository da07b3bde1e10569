"""What the study says of itself."""

from app.registry.entry import Entry

SURPRISE = Entry(
    name="surprise",
    question="Which words surprise it?",
    does="find the words of a prompt that the model did not expect",
    request="palimpsest_surprise:SurpriseRequest",
    result="palimpsest_surprise:SurpriseResult",
    run="palimpsest_surprise:surprise",
    table="palimpsest_surprise.table:surprise_table",
    panels="palimpsest_surprise.figure:surprise_panels",
    from_case={"prompt": "app.sweeps.from_case:prompt"},
)
