"""Tasks that test whether an edit kept to its fact, and their scores.

Five tasks (Wang et al. 2025, SADR, table 3): the rewrite itself (ES), its paraphrases (PS), neighbours (NS), other
relations of the subject (RS), and neighbours behind the edit as a sentence (DNS). A score is the share of prompts on
which the wanted answer is likelier than the other, both length-normalised; ties count as failure. Facts are our own
or those of a file in the form of CounterFact or of SADR's merged set.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import BadFile, BadRequest, WorkbenchError
from analysis.facts import Fact
from analysis.tokens import find_text
from editors.edit import Edit
from editors.probes import Answers, Kind, Probe, probes_of
from editors.request import Rewrite

SCORES: dict[str, Kind] = {
    "ES": "rewrite",
    "PS": "paraphrase",
    "NS": "neighbour",
    "RS": "other",
    "DNS": "distracting",
}
TASK_KINDS: dict[str, Kind] = {"relation": "other", "distracting": "distracting"}


@dataclass(frozen=True)
class Case:
    """A fact to write with the prompts that test it."""

    rewrite: Rewrite
    old: str  # the answer that stood there
    probes: tuple[Probe, ...]
    generation: tuple[str, ...] = ()


def behind(rewrite: Rewrite, prompt: str) -> str:
    """A prompt behind the edit as a sentence: the distracting neighbourhood task."""
    return f"{rewrite.text} {rewrite.target}. {prompt}"


def distracting(rewrites: Sequence[Rewrite], probes: Iterable[Probe]) -> list[Probe]:
    """Each neighbour behind the sentence of its fact's edit."""
    return [
        Probe(probe.fact, "distracting", behind(rewrites[probe.fact], probe.prompt), probe.new, probe.old)
        for probe in probes
        if probe.kind == "neighbour"
    ]


def case_of(index: int, fact: Fact, target: str) -> Case:
    """A stored fact with another answer; prompts whose two answers are the same are left out."""
    rewrite = Rewrite.of(fact, target)
    probes = [probe for probe in probes_of(index, rewrite, fact.object, fact) if probe.new != probe.old]
    numbered = [Probe(0, probe.kind, probe.prompt, probe.new, probe.old) for probe in probes]
    return Case(
        rewrite,
        fact.object,
        (*probes, *(_at(index, probe) for probe in distracting([rewrite], numbered))),
        tuple(text.replace("{}", fact.subject) for text in fact.generation),
    )


def _at(index: int, probe: Probe) -> Probe:
    return Probe(index, probe.kind, probe.prompt, probe.new, probe.old)


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
        for probe in (*edit.probes, *distracting(facts, edit.probes)):
            if probe.kind in names and probe.new != probe.old:
                found.append(TaskPrompt(names[probe.kind], _at(before + probe.fact, probe), facts[probe.fact].subject))
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
    wants_new = kind in ("rewrite", "paraphrase")
    own = np.array([index for index, probe in enumerate(probes) if probe.kind == kind], dtype=int)
    wanted, other = (answers.new, answers.old) if wants_new else (answers.old, answers.new)
    greedy = answers.new_greedy if wants_new else answers.old_greedy
    return own, wanted[own] > other[own], greedy[own]


def task_score(probes: Sequence[Probe], answers: Answers, kind: Kind) -> TaskScore | None:
    """The score of one task, averaged over prompts as in the paper; None where it has no prompts."""
    own, likelier, greedy = hits(probes, answers, kind)
    if not len(own):
        return None
    difference = (answers.new - answers.old)[own] * (1 if kind in ("rewrite", "paraphrase") else -1)
    wanted = (answers.new if kind in ("rewrite", "paraphrase") else answers.old)[own]
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


def read_cases(path: Path | str) -> tuple[Case, ...]:
    """Cases of a JSON file, CounterFact's form or that of SADR's merged set; `BadFile` lists every fault.

    CounterFact: `requested_rewrite` with `{}` in its prompt and answers as {"str": …}, `paraphrase_prompts`,
    `neighborhood_prompts`, `generation_prompts`. SADR: the subject is in place already, and prompts stand with their
    targets under `p-paraphrase`, `l-neighbor`, `l-relation`, `generation`. Fields that are absent give no probes.
    """
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not a JSON list of records ({error}).") from error
    if not isinstance(records, list):
        raise BadFile(f"{path} is not a JSON list of records.")
    cases: list[Case] = []
    problems: list[str] = []
    for row, record in enumerate(records):
        try:
            cases.append(_case(len(cases), record))
        except (WorkbenchError, KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"record {row}: {type(error).__name__}: {error}")
    if problems:
        raise BadFile(f"{path} has {len(problems)} faults.", tuple(problems))
    return tuple(cases)


def _case(index: int, record: dict[str, Any]) -> Case:
    asked = record["requested_rewrite"]
    subject, new, old = asked["subject"], _text(asked["target_new"]), _text(asked["target_true"])
    prompt = asked["prompt"]
    if "{}" not in prompt:
        start, end = find_text(prompt, subject, occurrence=0)
        prompt = f"{prompt[:start]}{{}}{prompt[end:]}"
    rewrite = Rewrite(prompt=prompt, subject=subject, target=new)
    if new == old:
        raise BadRequest(f"“{rewrite.text}”: the new answer is the old one")
    probes = [Probe(index, "rewrite", rewrite.text, new, old)]
    probes += [Probe(index, "paraphrase", text, new, old) for text in _prompts(record, "paraphrase")]
    probes += [
        Probe(index, "neighbour", text, new, right)
        for text, right in _targeted(record, "l-neighbor", "neighborhood_prompts", old)
        if right != new
    ]
    probes += [
        Probe(index, "other", text, new, right)
        for text, right in _targeted(record, "l-relation", None, old)
        if right != new
    ]
    near = [Probe(0, probe.kind, probe.prompt, probe.new, probe.old) for probe in probes]
    probes += [_at(index, probe) for probe in distracting([rewrite], near)]
    return Case(rewrite, old, tuple(probes), tuple(_prompts(record, "generation")))


def _text(answer: Any) -> str:
    return answer["str"] if isinstance(answer, dict) else answer


def _prompts(record: dict[str, Any], what: str) -> list[str]:
    """Prompts of paraphrase or generation, in either form."""
    merged = record.get(f"p-{what}", record.get(what)) or {}
    return list(record.get(f"{what}_prompts") or merged.get("prompts") or [])


def _targeted(record: dict[str, Any], merged: str, plain: str | None, old: str) -> list[tuple[str, str]]:
    """Prompts with their right answers."""
    if plain is not None and record.get(plain):
        return [(text, old) for text in record[plain]]
    own = record.get(merged) or {}
    return list(zip(own.get("prompts", []), map(_text, own.get("targets", [])), strict=True))
