"""What Start shows of attention drift."""

from typing import Any

from app.registry.studies import STUDIES
from app.studies.drift.figure import drift_thumbnail
from app.studies.edit.forms.form import EditForm
from editors.attention_drift.result import DriftRequest

LOUVRE = DriftRequest(
    prompt="The Eiffel Tower is located in the city of Rome. The Louvre is a famous landmark in the city of",
    subject="The Eiffel Tower",
    grids=(),
)


def plate(lm: Any) -> list[list[float]]:
    """What the fact on the edit page does to attention: it is made on the page, so only its picture is kept."""
    edit = STUDIES["edit"].run(lm, EditForm().asked())
    return drift_thumbnail(STUDIES["drift"].run(lm, LOUVRE, stack=[edit]).drift)
