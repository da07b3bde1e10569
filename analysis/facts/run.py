"""Which of the stored facts does a model know? Only these are worth tracing or writing over."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import WorkbenchError
from analysis.facts.facts import Fact, KnownRequest, KnownResult, choose, read_facts
from analysis.study import Report, silent
from analysis.text.framing import framed
from analysis.text.tokens import answer_token, subject_range

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def known_facts(lm: "LanguageModel", request: KnownRequest, report: Report = silent) -> KnownResult:
    """Ask the model each fact of the assets once.

    A fact counts as known when the argmax of the next token is its object's first token
    (ROME, section 2 keeps such facts only).

    Args:
        lm: a loaded model; left as it was.
        request: which relations, and how likely the object must be.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        For every fact the object's probability and what the model says instead.
    Raises:
        `BadRequest` for unknown relations.
    Source:
        Meng et al. 2022, 2202.05262, section 2.
    Example:
        >>> from analysis import KnownRequest
        >>> found = known_facts(lm, KnownRequest(relations=("capital",)))
        >>> found.objects[0], found.said[0]
        ('Paris', ' Paris')
    """
    facts = choose(read_facts(), request.relations)
    rows: list[tuple[Fact, float, str, bool]] = []
    skipped: list[str] = []
    for done, fact in enumerate(facts):
        report(done, len(facts), "asking")
        try:
            tokens = lm.encode(fact.text)
            subject_range(tokens, fact.subject, occurrence=0)
            answer = answer_token(lm.tokenizer, tokens, fact.object)
        except WorkbenchError as error:
            skipped.append(f"{fact.id}: {error}")
            continue
        probabilities = lm.next_word(tokens)
        said = int(probabilities.argmax())
        rows.append((fact, probabilities[answer].item(), lm.said(tokens, [said])[0], said == answer))
    report(len(facts), len(facts), "asked")
    return KnownResult(
        request=request,
        model=lm.card(),
        ids=[fact.id for fact, *_ in rows],
        prompts=[fact.text for fact, *_ in rows],
        objects=[fact.object for fact, *_ in rows],
        probability=np.array([p for _, p, _, _ in rows], dtype=np.float64),
        said=[said for _, _, said, _ in rows],
        correct=np.array([right for *_, right in rows], dtype=bool),
        skipped=skipped,
    )
