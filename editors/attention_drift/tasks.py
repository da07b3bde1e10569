"""Tasks that test whether an edit kept to its fact, and their scores.

Five tasks (Wang et al. 2025, SADR, table 3): the rewrite itself (ES), its paraphrases (PS), neighbours (NS), other
relations of the subject (RS), and neighbours behind the edit as a sentence (DNS). A score is the share of prompts on
which the wanted answer is likelier than the other, both length-normalised; ties count as failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from editors.cases.case import distracting
from editors.edit.edit import Edit
from editors.edit.probes import WANT_NEW, Answers, Kind, Probe

SCORES: dict[str, Kind] = {
    "ES": "rewrite",
    "PS": "paraphrase",
    "NS": "neighbour",
    "RS": "other",
    "DNS": "distracting",
}
TASK_KINDS: dict[str, Kind] = {"relation": "other", "distracting": "distracting"}


@dataclass(frozen=True)
class TaskPrompt:
    """A test prompt of an edit, and the subject that was edited."""

    task: str
    probe: Probe
    subject: str


def prompts_of(stack: Sequence[Edit]) -> list[TaskPrompt]:
    """The relation and distracting prompts of all facts of some edits; facts are counted through the stack."""
    found: list[TaskPrompt] = []
    names: dict[str, str] = {kind: task for task, kind in TASK_KINDS.items()}
    before = 0
    for edit in stack:
        facts = edit.request.facts
        for probe in (*edit.probes, *distracting(facts, edit.probes, edit.request.boundary)):
            if probe.kind in names and probe.new != probe.old:
                found.append(
                    TaskPrompt(names[probe.kind], replace(probe, fact=before + probe.fact), facts[probe.fact].subject)
                )
        before += len(facts)
    return found


@dataclass(frozen=True)
class TaskScore:
    """Over the prompts of one task."""

    share: float  # of prompts on which the wanted answer is likelier
    half_width: float  # 95 %, normal interval of the mean over prompts
    greedy: float  # share of prompts on which the wanted answer is what is said, token for token
    magnitude: float  # mean of P(wanted) − P(other)
    wanted: float  # mean of P(wanted)
    prompts: int


def hits(probes: Sequence[Probe], answers: Answers, kind: Kind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prompts of a task, (n,) indices; whether the wanted answer is likelier, (n,) bool; and whether it is said."""
    wants_new = kind in WANT_NEW
    own = np.array([index for index, probe in enumerate(probes) if probe.kind == kind], dtype=int)
    wanted, other = (answers.new, answers.old) if wants_new else (answers.old, answers.new)
    greedy = answers.new_greedy if wants_new else answers.old_greedy
    return own, wanted[own] > other[own], greedy[own]


def task_score(probes: Sequence[Probe], answers: Answers, kind: Kind) -> TaskScore | None:
    """The score of one task, averaged over prompts as in the paper; None where it has no prompts."""
    own, likelier, greedy = hits(probes, answers, kind)
    if not len(own):
        return None
    difference = (answers.new - answers.old)[own] * (1 if kind in WANT_NEW else -1)
    wanted = (answers.new if kind in WANT_NEW else answers.old)[own]
    spread = likelier.std(ddof=1) if len(own) > 1 else 0.0
    return TaskScore(
        float(likelier.mean()),
        float(1.96 * spread / np.sqrt(len(own))),
        float(greedy.mean()),
        float(difference.mean()),
        float(wanted.mean()),
        len(own),
    )


def harmonic_mean(shares: Sequence[float]) -> float:
    """Harmonic mean of scores; 0 where one of them is 0."""
    return len(shares) / sum(1 / share for share in shares) if all(share > 0 for share in shares) else 0.0
