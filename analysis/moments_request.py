"""What a measurement of second moments asks: plain data, no model."""

from pydantic import Field

from analysis.study import Request

OWN = "own"
"""The text is what the model writes by itself."""


class MomentsRequest(Request):
    """What are these layers used to reading?"""

    layers: tuple[int, ...] = Field(min_length=1, description="layers to measure")
    source: str = Field(
        OWN, description="own: what the model writes by itself; a text file; or hf:owner/name, a dataset"
    )
    tokens: int | None = Field(None, ge=1, description="tokens to read; ten for each dimension of a key when left out")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the text the model writes")
