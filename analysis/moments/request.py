"""What a measurement of second moments asks: plain data, no model."""

from pydantic import Field

from analysis.study import Request

OWN = "own"
"""The text is what the model writes by itself."""
SHIPPED = "shipped"
"""The text is one that comes with the workbench; nothing is written."""


class MomentsRequest(Request):
    """What are these layers used to reading?

    Where `tokens` is left out and no text of the whole length lies ready, the text grows until the moments are steady
    (`analysis.moments.steady`), and a model that would write at it for long reads the shipped text instead. What was
    read is said in the statistics.
    """

    layers: tuple[int, ...] = Field(min_length=1, description="layers to measure")
    source: str = Field(
        OWN,
        description="own: what the model writes by itself; shipped: text that comes with the workbench; "
        "a text file; or hf:owner/name, a dataset",
    )
    tokens: int | None = Field(
        None,
        ge=1,
        description="tokens to read; left out, as many as it takes, ten for each dimension of a key at most",
    )
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the text the model writes")
