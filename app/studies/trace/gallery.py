"""Traces to begin with, and an average."""

from analysis import AverageRequest, TraceRequest
from app.shell.gallery import Example

KINDS = ("state", "mlp", "attn")
EIFFEL = TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower", kinds=KINDS)


def examples() -> tuple[Example, ...]:
    """Its plates."""
    return (
        Example("eiffel", "Trace", "The Eiffel Tower", "is located in the city of Paris", "trace", EIFFEL),
        Example(
            "great-wall",
            "Trace",
            "The Great Wall",
            "is located in the country of China",
            "trace",
            TraceRequest(prompt="The Great Wall is located in the country of", subject="The Great Wall", kinds=KINDS),
        ),
        Example(
            "einstein",
            "Trace",
            "Albert Einstein",
            "worked in the field of physics",
            "trace",
            TraceRequest(prompt="Albert Einstein worked in the field of", subject="Albert Einstein", kinds=KINDS),
        ),
        Example(
            "swapped",
            "Trace",
            "France, not Germany",
            "Another subject in its place instead of noise",
            "trace",
            TraceRequest(
                prompt="The government of France has its capital in",
                subject="France",
                corruption="replace",
                replacement="Germany",
                kinds=KINDS,
            ),
        ),
    )


def average_examples() -> tuple[Example, ...]:
    """The plate of an average."""
    return (
        Example(
            "average",
            "Many facts",
            "Fifty facts at once",
            "Early site and late site, with their intervals",
            "average",
            AverageRequest(samples=3),
        ),
    )
