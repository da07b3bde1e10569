"""A job of the edit page: what became of the facts of an edit that was solved from others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from analysis.study import Report, Request, Study
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class SolvedRequest(Request):
    """Ask what became of the facts of an edit that was solved from others."""

    edit: str = Field(description="id of the edit that others were solved to")


def ask(lm: "LanguageModel", request: SolvedRequest, report: Report, *, stack: Sequence[Edit]) -> Edit:
    """That edit of the stack with the answers before it and under it."""
    from editors.methods.run import asked

    report(0, 1, "asking what became of the facts")
    (one,) = (edit for edit in stack if edit.id == request.edit)
    return asked(lm, one.request, one)


ASK = Study("solved", SolvedRequest, Edit, ask, on_edits=True, kept=False)
