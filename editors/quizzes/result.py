"""Does an edited model answer as one that knows? Five dimensions of questions, answered freely: plain data.

After HalluEditBench (2410.16251), in a generated form: the questions are put together from the stored facts, and an
answer is matched word for word, with no second model to judge it.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from analysis.stepwise import Stepwise
from editors.evaluation.comparison import Comparison
from editors.evaluation.result import Mean, mean_of

Dimension = Literal["efficacy", "generalisation", "portability", "locality", "robustness"]
GENERALISATION = ("paraphrase", "yes", "no", "choice", "reversed")
DIMENSIONS: dict[Dimension, str] = {
    "efficacy": "the plain question is answered with the edit's answer",
    "generalisation": "mean over the question worded again, to affirm, to deny, to choose from, and turned round",
    "portability": "questions whose answer follows from the edit's, two hops and more",
    "locality": "the same subject's other facts are answered as before the edit",
    "robustness": "it goes on affirming, turn after turn, when told that it is wrong",
}
PROTOCOL = "generated"


class QuizRequest(Comparison):
    """Write each case by itself with several methods, and ask about it in every form."""

    units: ClassVar[dict[str, str]] = {"turns": "turns", "words": "tokens"}
    turns: int = Field(3, ge=0, le=10, description="times it is told that its answer is wrong")
    words: int = Field(16, ge=1, le=64, description="tokens an answer may take")

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return (*super().needs(), "generation")


def dimension_of(form: str) -> Dimension:
    """Where a form belongs; the affirmation before any doubt (turn 0) is the form yes."""
    if form == "question":
        return "efficacy"
    if form in GENERALISATION:
        return "generalisation"
    return "portability" if form.startswith("hop") else "locality" if form == "locality" else "robustness"


@dataclass(frozen=True)
class QuizResult(Stepwise):
    """V versions (no edit, then each method), all P questions; NaN where a method refused the case.

    Stopped: the questions of the cases that were come to, NaN where a method's turn had not come.
    """

    units: ClassVar[dict[str, str]] = {"case": "case number", "right": "yes or no", "seconds": "seconds"}
    request: QuizRequest
    model: dict[str, Any]
    versions: list[str]
    case: np.ndarray  # (P,) number of each question's case
    forms: list[str]  # (P,)
    prompts: list[str]
    wanted: list[str]  # empty for locality, which wants what was said before the edit
    right: np.ndarray  # (V, P) 1 or 0
    texts: list[list[str]]  # V of P, what was said
    seconds: np.ndarray  # (V, cases) of writing
    skipped: list[str]  # cases that were not asked, and why
    faults: list[str]  # method, case and why it was refused
    provenance: dict[str, Any] = field(default_factory=dict)

    def there(self) -> list[str]:
        """Forms in the order of their dimensions."""
        found, order = dict.fromkeys(self.forms), list(DIMENSIONS)
        return sorted(found, key=lambda form: order.index(dimension_of(form)))

    def by_case(self, version: int, form: str) -> np.ndarray:
        """Mean over each case's questions of a form, (cases,); NaN where there are none."""
        found = np.full(len(self.request.cases), np.nan)
        own = np.array([one == form for one in self.forms], dtype=bool)
        for case in np.unique(self.case[own]):
            found[case] = self.right[version, own & (self.case == case)].mean()
        return found

    def dimension(self, version: int, name: Dimension) -> np.ndarray:
        """Mean of the forms each case has of a dimension, (cases,); a missing form is left out, not wrong."""
        rows = [self.by_case(version, form) for form in self.there() if dimension_of(form) == name]
        stacked = np.array(rows).reshape(-1, len(self.request.cases))
        count = (~np.isnan(stacked)).sum(0)
        return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)

    def mean(self, version: int, name: Dimension) -> Mean | None:
        """Of a dimension over cases; None where no case has it."""
        return mean_of(self.dimension(version, name))

    def form_mean(self, version: int, form: str) -> Mean | None:
        """Of one form over cases."""
        return mean_of(self.by_case(version, form))

    def paired(self, version: int, other: int, name: Dimension) -> Mean | None:
        """One version less another over the cases both have."""
        return mean_of(self.dimension(version, name) - self.dimension(other, name))
