"""From a request to an edit, the same for every method: settle, put the edits below on, write, ask.

What sets a method apart stands in its entry (`editors.registry`), and in the function that names.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from analysis.forward.generation import first_said
from analysis.forward.packed_weights import packed
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.edit.apply import apply, refuse_other_weights
from editors.edit.base_model import base_of
from editors.edit.edit import Edit, LayerChange, ids_below
from editors.edit.probes import Answers, Glance, Probe, probes_of, stored_fact
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.closed_road import Written
from editors.methods.defaults import settled
from editors.methods.past_keys import PastKeys
from editors.registry.methods import PACKAGES, method_of
from editors.scoring.probe_answers import Looking, answerable, ask

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def write(
    lm: "LanguageModel",
    request: EditRequest,
    report: Report = silent,
    *,
    stack: Sequence[Edit] = (),
    glance: bool = True,
    probe: bool = True,
) -> Edit:
    """Find an edit that writes the facts of `request`, on top of the edits in `stack`; the model is left as it was.

    Second moments are those of the model without any edit. AlphaEdit spares the keys of the facts in `stack` unless
    told not to, each as it stood once its own edit was on (published code). RLS with targets of the base takes none of
    `stack`: its edit is the same whatever is on.
    `glance`: also look at the first fact's next words and continuations, which takes seconds. `probe`: also ask the
    facts' probes before and after, which takes as long; an edit that is scored elsewhere needs neither.
    Raises `BadRequest` and its kind for facts that do not fit the model, `UnknownArchitecture` where the method
    cannot write to this family.

    Args:
        lm: a loaded model; left as it was.
        request: facts, method, layers and settings; what is left out is settled from the model.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits already on, lowest first.
        glance: also look at the first fact's next words and continuations.
        probe: also ask the facts' probes before and after.
    Returns:
        The edit: low-rank changes of matrices, what was searched, and the facts' probes before and after.
    Source:
        Meng et al. 2022 (ROME), 2023 (MEMIT); the others in `editors.registry.ours`.
    Example:
        >>> from editors import EditRequest, Rewrite
        >>> fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
        >>> made = write(lm, EditRequest(facts=(fact,)), glance=False, probe=False)
        >>> [change.rank for change in made.changes]
        [1]
    """
    method = method_of(request.method)
    if method.whole:
        return method.read("whole")(lm, request, report, stack=stack)
    started = time.perf_counter()
    full = settled(lm, request, lambda: report(0, 1, "choosing layers"))
    if "targets" in method.uses and full.targets == "base":
        stack = ()
    past = PastKeys(lm, full, stack)
    make: Callable[[], Written] = method.read("write")(lm, full, report, past)
    with packed(lm), Overlay(lm) as below:
        for edit in stack:
            apply(lm, edit, below)
            past.read(edit)
        changes, found, warnings = make()
        probes, before, after, seen = outcome(lm, full.facts, changes, below, probe=probe, glance=glance)
    return Edit(
        request=full,
        model=lm.card(),
        changes=changes,
        found=found,
        probes=probes,
        before=before,
        after=after,
        glance=seen,
        warnings=warnings,
        built_on=ids_below(stack),
        provenance=provenance(time.perf_counter() - started) | _origin(lm, full),
    )


@framed
def asked(lm: "LanguageModel", request: EditRequest, edit: Edit) -> Edit:
    """An edit that was solved from others, with its facts' probes before and after; `request` is its own.

    Raises as `written_over`. What it was found on top of must be on, where there is something.
    """
    with packed(lm), Overlay(lm) as below:
        refuse_other_weights(lm, edit)
        probes, before, after, seen = outcome(lm, request.facts, edit.changes, below, probe=True, glance=True)
    return replace(edit, probes=probes, before=before, after=after, glance=seen, warnings=edit.warnings[1:])


def outcome(
    lm: "LanguageModel",
    facts: Sequence[Rewrite],
    changes: Sequence[LayerChange],
    below: Overlay,
    *,
    probe: bool,
    glance: bool,
    report: Report = silent,
) -> tuple[list[Probe], Answers, Answers, Glance | None]:
    """Probes and a glance at the first fact, before changes are put on what is below, and after."""
    report(0, 3, "asking before")
    probes, texts = _probes(lm, facts) if probe else ([], [])
    before = ask(lm, probes)
    report(1, 3, "looking on")
    looking = Looking(lm, facts[0].text, facts[0].target, texts) if glance else None
    for change in changes:
        below.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
    report(2, 3, "asking after")
    after = ask(lm, probes)
    return probes, before, after, looking.again() if looking is not None else None


def _origin(lm: "LanguageModel", request: EditRequest) -> dict[str, Any]:
    """Where the weights are to be had, and whose the method is if it is not the workbench's."""
    package = PACKAGES.get(request.method)
    return {"base": base_of(lm.card()).source()} | ({"package": package} if package else {})


def _probes(lm: "LanguageModel", facts: Sequence[Rewrite]) -> tuple[list[Probe], list[str]]:
    """What to ask about the facts, and a text to go on with about the first."""
    probes: list[Probe] = []
    texts: list[str] = []
    for index, fact in enumerate(facts):
        said = first_said(lm, lm.encode(fact.text))
        own = stored_fact(fact, said)
        probes += answerable(lm, probes_of(index, fact, own.object if own else said, own))
        if own and not index:
            texts = [text.replace("{}", own.subject) for text in own.generation][:1]
    return probes, texts


def write_each(
    lm: "LanguageModel", request: EditRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> list[Edit]:
    """All facts of `request` on top of `stack`: in one edit, or one upon the other where the method takes only some.

    Nothing is asked of the edits.
    """
    made: list[Edit] = []
    most = method_of(request.method).most_facts or len(request.facts)
    for first in range(0, len(request.facts), most):
        own = request.model_copy(update={"facts": request.facts[first : first + most]})
        made.append(write(lm, own, report, stack=[*stack, *made], glance=False, probe=False))
    return made
