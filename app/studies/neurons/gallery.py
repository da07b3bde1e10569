"""Neurons to begin with."""

from analysis import HopsRequest, NeuronsRequest
from app.shell.gallery import Example

COLOSSEUM = NeuronsRequest(
    prompt="The capital of the country where the Colosseum is located is the city of", mode="screened"
)


def examples() -> tuple[Example, ...]:
    """Its plates."""
    return (
        Example(
            "neurons",
            "Neurons",
            "The country of the Colosseum",
            "From the question to its capital, neuron by neuron",
            "neurons",
            COLOSSEUM,
            (("hops", HopsRequest(chains=("landmark_country/colosseum/capital",), knock_out=True, back_patch=True)),),
        ),
    )
