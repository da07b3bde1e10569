"""A result of every study that has a page, from a tiny model, and what has to stand around its run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from analysis import AverageRequest, HopsRequest, KnownRequest, LensRequest, NeuronsRequest, TraceRequest, read_facts
from analysis.facts.facts import Fact, another_object
from analysis.model.language_model import LanguageModel
from app.registry.studies import STUDIES
from app.session.address import PAGES
from editors.attention_drift.result import DriftRequest, DriftsRequest
from editors.cases.case import case_of
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.result import ReachRequest
from editors.edit.edit import Edit
from editors.edit.probes import Answers, Probe
from editors.evaluation.result import EvaluateRequest
from editors.generation.result import GenerateRequest
from editors.layer_sweep.result import LayersRequest
from editors.lifelong_editing import run as lifelong_editing
from editors.lifelong_editing.result import LifelongRequest
from editors.quizzes.result import QuizRequest
from editors.who_moved.result import MovedRequest
from tests.app.test_cli_drift import PROBES
from tests.conftest import cached
from tests.editors.test_drift import PROMPT, SUBJECT
from tests.editors.test_evaluate import CASES as EVALUATED
from tests.editors.test_lifelong import CASES as STREAM
from tests.kit import conflicts, recipes
from tests.kit.edits import TOWER, asked

FACT = read_facts()[0]


@cache
def edit() -> Edit:
    """An edit that a recipe holds, with prompts that test it."""
    own = recipes.made()
    probes = [Probe(0, "rewrite", TOWER.text, TOWER.target, "the"), *PROBES]
    none = np.zeros(len(probes))
    answers = Answers(none, none, none > 0, none > 0, ["the"] * len(probes), none)
    return replace(own, probes=probes, before=answers, after=answers)


@dataclass(frozen=True)
class Asked:
    """A request, the edits it is asked under, and what has to stand around its run."""

    request: Any
    edits: bool = False
    around: Callable[[LanguageModel], Any] | None = None


@contextmanager
def knowing(lm: LanguageModel) -> Iterator[None]:
    """Facts the tiny model knows, because its own favourites are made their objects."""
    facts = []
    for number, (prompt, subject) in enumerate((("the {} stands in", "old tower of Aldra"), ("in {} on", "Brin"))):
        said = lm.words([int(lm.logits(lm.encode(prompt.replace("{}", subject)).tensor())[0, -1].argmax())])[0]
        facts.append(Fact(id=f"f{number}", relation="r", subject=subject, object=said, prompt=prompt))
    with (
        patch("analysis.tracing.corruption.read_facts", lambda: facts),
        patch("analysis.tracing.average_run.read_facts", lambda: tuple(facts)),
    ):
        yield


@contextmanager
def little_text(lm: LanguageModel) -> Iterator[None]:
    """Held-out prompts in words of the tiny models, and few of them."""
    words = [Probe(0, "other", text, "river", "") for text in ("the old tower", "mother wrote near", "a city stands")]
    with (
        patch.object(lifelong_editing, "TEXT_TOKENS", 256),
        patch.object(lifelong_editing, "answerable", lambda lm, probes: list(probes) or words),
        patch.object(lifelong_editing, "read_facts", tuple),
    ):
        yield


def chain() -> Any:
    from analysis.facts.chains import read_chains

    return next(one for one in read_chains() if len(one.whole().split()) < 20)


ASKED: dict[str, Asked] = {
    "trace": Asked(TraceRequest(prompt=TOWER.text, subject="tower of Aldra", samples=2, sigma=0.5), edits=True),
    "average": Asked(AverageRequest(facts=2, at_least=0, samples=1), around=knowing),
    "lens": Asked(LensRequest(prompt='=1+1 "the" old tower')),
    "edit": Asked(asked("rome", TOWER)),
    "layers": Asked(LayersRequest(facts=(TOWER,), layers=(0, 1), method="ft", samples=1)),
    "drift": Asked(DriftRequest(prompt=PROMPT, subject=SUBJECT, answer="city"), edits=True),
    "drifts": Asked(DriftsRequest(), edits=True),
    "moved": Asked(MovedRequest(weights=(0.0, 1.0)), edits=True),
    "neurons": Asked(NeuronsRequest(prompt=TOWER.text, top=3, counts=(1, 2), draws=1)),
    "hops": Asked(HopsRequest(chains=(chain().id,), knock_out=True, back_patch=True)),
    "reach": Asked(ReachRequest(cases=(case_of_chain(chain(), "second"),), methods=("rome",), words=2), edits=True),
    "heads": Asked(conflicts.REQUESTS["heads"], around=conflicts.readable),
    "conflict": Asked(conflicts.REQUESTS["conflict"], around=conflicts.readable),
    "knockout": Asked(conflicts.REQUESTS["knockout"], around=conflicts.readable),
    "evaluate": Asked(EvaluateRequest(cases=EVALUATED, methods=("ft",), words=3)),
    "lifelong": Asked(
        LifelongRequest(cases=STREAM[:2], method="ft", milestones=(1, 2), words=3), around=little_text
    ),
    "quiz": Asked(QuizRequest(cases=(case_of(FACT, another_object(FACT)),), methods=("ft",), turns=1)),
    "generate": Asked(GenerateRequest(prompt=("the old", "+a city"), tokens=3), edits=True),
    "facts": Asked(KnownRequest(relations=("capital",))),
}  # fmt: skip
assert ASKED.keys() == PAGES.keys()


@contextmanager
def around(study: str) -> Iterator[LanguageModel]:
    """The tiny model, and what has to stand around a run of the study."""
    lm = cached("llama")
    with ExitStack() as stack:
        if (needed := ASKED[study].around) is not None:
            stack.enter_context(needed(lm))
        yield lm


@cache
def result(study: str) -> Any:
    """The result of a study, computed once."""
    from editors.edit.apply import written_over

    one, made = ASKED[study], STUDIES[study]
    edits = [edit()] if one.edits else []
    with around(study) as lm:
        if made.on_edits:
            return made.run(lm, one.request, stack=edits)
        with written_over(lm, edits):
            return made.run(lm, one.request)
