"""What the method says of itself."""

from editors.registry.entry import CLOSED_FORM, Method

NEAREST = Method(
    name="nearest",
    label="Nearest",
    does="write facts as the smallest change of one matrix, whatever text reads there",
    source="ordinary least squares",
    write="palimpsest_nearest.method:ROAD",
    uses=CLOSED_FORM,
    layers="palimpsest_nearest.layers:middle",
    most_layers=1,
    defaults={"clamp": 2.0},
)
