"""Small abilities by likelihood: the quickest look at what edits do to a model beyond its facts.

Cheap proxies in the sense of 2410.18785, of our own writing. They compare a model with itself, nothing else.
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.ability_tests.result import AbilitiesRequest, AbilitiesResult, questions
from editors.edit.probes import Probe
from editors.scoring.probe_answers import answerable
from editors.scoring.teacher_forced import NEW, measured

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def abilities(lm: "LanguageModel", request: AbilitiesRequest, report: Report = silent) -> AbilitiesResult:
    """Ask every question of the assets that this tokenizer can read, the three answers of each teacher-forced.

    Raises `BadRequest` when it can read none.

    Args:
        lm: a loaded model; left as it was.
        request: how many questions are asked.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Of each question whether the right answer is the likeliest of three.
    """
    started = time.perf_counter()
    asked, probes, left_out = [], [], []
    for group, one in questions():
        options = [Probe(0, "other", one.prompt, option, "") for option in (one.answer, *one.others)]
        if len(answerable(lm, options)) < len(options):
            left_out.append(one.prompt)
            continue
        asked.append((group, one))
        probes += options
    if not asked:
        raise BadRequest(f"{lm.name} can read none of the questions about its abilities.")
    report(0, 1, f"{len(asked)} questions")
    said = measured(lm, probes).mean[NEW].reshape(len(asked), -1)
    margin = said[:, 0] - said[:, 1:].max(1)
    report(1, 1, "done")
    return AbilitiesResult(
        request, lm.card(), [group for group, _ in asked], [one.prompt for _, one in asked],
        [one.answer for _, one in asked], np.asarray(margin > 0), margin, left_out,
        provenance(time.perf_counter() - started),
    )  # fmt: skip
