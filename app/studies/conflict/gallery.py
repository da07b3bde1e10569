"""Memory or page, to begin with."""

from app.shell.gallery import Example
from app.studies.conflict.form import EXAMPLE as LONDON


def examples() -> tuple[Example, ...]:
    """Its plates."""
    return (
        Example(
            "conflict",
            "Conflict",
            "Paris or London?",
            "Heads that speak for memory, heads that read the page",
            "heads",
            LONDON,
        ),
    )
