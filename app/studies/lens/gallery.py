"""A lens to begin with."""

from analysis import LensRequest
from app.shell.gallery import Example
from app.studies.trace.gallery import EIFFEL


def examples() -> tuple[Example, ...]:
    """Its plates."""
    return (
        Example(
            "lens",
            "Lens",
            "When does it know?",
            "What every state of the prompt would say",
            "lens",
            LensRequest(prompt=EIFFEL.prompt),
        ),
    )
