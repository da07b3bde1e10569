"""From a request to an edit: keys, targets, statistics, closed form, the same road for every method.

A method is a row of the table below: where its target stands, how the write is spread over the
layers, and which closed form turns keys and residuals into a change.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.forward.generation import first_said
from analysis.forward.packed_weights import packed
from analysis.internals.key_value_memory import output_matrix
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import Moments, moments
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.edit.apply import apply
from editors.edit.base_model import base_of
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.layer_change import layer_change
from editors.edit.probes import Probe, probes_of, stored_fact
from editors.edit.request import ONE_FACT, EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods import closed_forms
from editors.methods.closed_forms import Change
from editors.methods.defaults import settled
from editors.methods.factored_moments import freedom_of, inverse_of
from editors.methods.finetuning import tuned
from editors.methods.last_token import hidden_at_end, keys_at_end, subject_keys
from editors.methods.past_keys import PastKeys
from editors.methods.target_search import Site, search, unreached
from editors.methods.token_rows import Row, contexts, rows_of
from editors.scoring.probe_answers import Looking, answerable, ask

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

RHO_WARN, RHO_REFUSE = (0.3, 3.0), 0.05
"""Where ρ of ROME's two keys is worth a warning, and where a write would explode."""
ALIKE = 0.99
"""Cosine of two facts' keys from which they cannot be told apart."""


@dataclass(frozen=True)
class Method:
    """What sets a method apart."""

    sites: tuple[Site, ...]
    share: Callable[[int], float]  # part of the residual written at a layer, by the number of layers left
    form: Callable[["_Writing", int, Tensor, Tensor], Change]


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
    told not to, each as it stood once its own edit was on (published code).
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
        Meng et al. 2022 (ROME), 2023 (MEMIT); the others in `MethodName`'s notes.
    Example:
        >>> from editors import EditRequest, Rewrite
        >>> fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
        >>> made = write(lm, EditRequest(facts=(fact,)), glance=False, probe=False)
        >>> [change.rank for change in made.changes]
        [1]
    """
    if request.method == "prune":
        from editors.methods.head_pruning import prune  # here, since it stands on what this module stands on

        return prune(lm, request, report, stack=stack)
    started = time.perf_counter()
    full = settled(lm, request, lambda: report(0, 1, "choosing layers"))
    past = PastKeys(lm, full, stack)
    if full.method == "ft":
        make: Callable[[], tuple[list[LayerChange], Found, list[str]]] = partial(tuned, lm, full, report)
    elif full.method == "ifmet":
        contexts(lm, full)  # by the model without edits, which its second stage no longer sees
        make = partial(_two_stages, lm, full, report)
    else:
        make = _Writing(lm, full, report, past).run
    with packed(lm), Overlay(lm) as below:
        for edit in stack:
            apply(lm, edit, below)
            past.read(edit)
        changes, found, warnings = make()
        probes, texts = _probes(lm, full.facts) if probe else ([], [])
        before = ask(lm, probes)
        looking = Looking(lm, full.facts[0].text, full.facts[0].target, texts) if glance else None
        for change in changes:
            below.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
        after = ask(lm, probes)
        seen = looking.again() if looking is not None else None
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
        built_on=[edit.id for edit in stack],
        provenance=provenance(time.perf_counter() - started) | {"base": base_of(lm.card()).source()},
    )


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
    """All facts of `request` on top of `stack`: in one edit, or one upon the other where the method takes one fact.

    Nothing is asked of the edits.
    """
    made: list[Edit] = []
    for facts in [(one,) for one in request.facts] if request.method in ONE_FACT else [request.facts]:
        own = request.model_copy(update={"facts": facts})
        made.append(write(lm, own, report, stack=[*stack, *made], glance=False, probe=False))
    return made


class _Writing:
    """One write under way."""

    def __init__(self, lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None):
        self.lm, self.request, self.report, self.past = lm, request, report, past
        self.method, self.groups = _method_of(request)
        self.layers = tuple(sorted(layer for group in self.groups for layer in group))
        self.warnings: list[str] = []
        self.ratios: list[float] = []
        if "hidden" in self.method.sites:
            lm.require(("stream",))
        self.moments: dict[int, Moments] = moments(
            lm,
            MomentsRequest(layers=self.layers, source=request.source, tokens=request.tokens, seed=request.seed),
            self._phase(0.0, 0.4, "what the layers are used to reading"),
        )
        self.warnings += _unsteady(self.moments.values())
        self.inverses = {layer: inverse_of(lm, one) for layer, one in self.moments.items()}
        self.contexts = contexts(lm, request)

    def run(self) -> tuple[list[LayerChange], Found, list[str]]:
        """Measure, search, write layer by layer; the model's weights are as before at the end."""
        lm, request, last = self.lm, self.request, self.layers[-1]
        rows = rows_of(lm, request.facts, self.contexts)
        self.targets = search(lm, rows, last, self.method.sites, request, self._phase(0.4, 0.9, "the new value"))
        changes: list[LayerChange] = []
        condition = math.nan
        with Overlay(lm) as overlay:
            for layer, remaining in _steps(self.groups):
                mean, self.bare = subject_keys(lm, rows, layer, halved=request.method != "rome")
                if not changes:
                    self._warn_of_likes(mean)
                    condition = closed_forms.condition(self.inverses[layer], mean)
                residual = self._residual(rows, layer) * self.method.share(remaining)
                change = self.method.form(self, layer, mean, residual)
                changes.append(layer_change(lm, layer, change.left, change.right))
                overlay.add(layer, torch.from_numpy(changes[-1].left), torch.from_numpy(changes[-1].right))
            left = self._residual(rows, last, after=True)
        self.report(1, 1, "asking what became of it", None, 0.95)
        self.warnings += unreached(request, self.targets.probability)
        whole = self.targets.change[self.method.sites[-1]].norm(dim=1).double()
        if self.method.sites == ("hidden",):
            whole = whole / lm.factors["mlp"]
        found = Found(
            loss=self.targets.loss,
            probability=self.targets.probability,
            former=self.targets.former,
            key_ratio=self.ratios or [math.nan] * len(request.facts),
            written=[1 - float(part / size) for part, size in zip(left.norm(dim=0), whole, strict=True)],
            condition=condition,
            statistics=[one.said() for one in self.moments.values()],
        )
        return changes, found, self.warnings

    def _phase(self, begin: float, end: float, title: str) -> Report:
        def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
            part = share if share is not None else done / max(total, 1)
            self.report(done, total, note or title, partial, begin + (end - begin) * part)

        return report

    def _residual(self, rows: Sequence[Row], layer: int, *, after: bool = False) -> Tensor:
        """Wanted minus present value of every fact, (d, n), at the site the method aims at, in units of the matrix."""
        bare = [row.to_subject for row in rows if row.bare]
        last = self.layers[-1]
        if self.method.sites == ("hidden",):
            missing = self.targets.target("hidden").double() - hidden_at_end(self.lm, bare, last)
            return missing.T / self.lm.factors["mlp"]
        if self.request.method == "rome" and not after:
            key = self.bare if self.request.key_mode == "rome" else None
            if key is None:
                return self.targets.change["value"].double().T
        matrix = output_matrix(self.lm, last)
        present = matrix.value(keys_at_end(self.lm, bare, last).float()).cpu().double()
        return (self.targets.target("value").double() - present).T

    def _warn_of_likes(self, keys: Tensor) -> None:
        unit = keys / keys.norm(dim=0)
        close = ((unit.T @ unit) > ALIKE).triu(1).nonzero().tolist()
        for a, b in close[:3]:
            one, other = self.request.facts[a], self.request.facts[b]
            self.warnings.append(
                f"“{one.text}” and “{other.text}” ask for the same key; what is written is between the two."
            )


def _unsteady(moments: Iterable[Moments]) -> list[str]:
    few = [one for one in moments if one.grown and not one.grown["steady"]]
    return [
        f"The second moments of layer {one.layer} are of {one.tokens:,} tokens, all there are of that text, and not "
        "steady yet: other text may move more than it must. Take a longer file as source."
        for one in few[:1]
    ]


def _steps(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The layers in the order they are written, each with the number left in its group, itself included."""
    return [(layer, len(group) - number) for group in groups for number, layer in enumerate(group)]


def _two_stages(
    lm: "LanguageModel", request: EditRequest, report: Report
) -> tuple[list[LayerChange], Found, list[str]]:
    """IFMET (2410.06331): the facts at shallow layers, then a two-hop question of each at deep ones, at its last token.

    The question stands as prompt and subject, so that its last token is the subject's. What is said there is what
    shall change, so the second stage has no weight on keeping it (kl = 0). A stage without layers is left out.
    """
    backend = "memit" if request.aim == "block" else "pmet"
    asked = tuple(Rewrite(prompt="{}", subject=fact.two_hop or "", target=fact.target) for fact in request.facts)
    first = request.model_copy(update={"method": backend, "layers": request.shallow})
    second = request.model_copy(update={"method": backend, "facts": asked, "kl": 0.0})
    made: list[tuple[list[LayerChange], Found, list[str]]] = []
    with Overlay(lm) as overlay:
        for stage in (first, second):
            if stage.layers:
                made.append(_Writing(lm, stage, report).run())
                for change in made[-1][0]:
                    overlay.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
    parts = [found for _, found, _ in made]
    found = Found(
        loss=np.concatenate([part.loss for part in parts]),
        probability=np.concatenate([part.probability for part in parts]),
        former=np.concatenate([part.former for part in parts]),
        key_ratio=parts[-1].key_ratio,
        written=parts[-1].written,
        condition=parts[0].condition,
        statistics=[one for part in parts for one in part.statistics],
    )
    return [one for changes, _, _ in made for one in changes], found, [text for *_, texts in made for text in texts]


def _rome(writing: _Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    inverse, bare, mode = writing.inverses[layer], writing.bare[:, 0], writing.request.key_mode
    ratio = closed_forms.key_ratio(inverse, bare, mean[:, 0])
    writing.ratios.append(ratio)
    if mode == "rome" and abs(ratio) < RHO_REFUSE:
        raise BadRequest(
            f"The prompt's own key hardly agrees with its mean over contexts (ρ = {ratio:.2f}): the published ROME "
            "would explode here. Take key_mode r_rome."
        )
    if not RHO_WARN[0] <= ratio <= RHO_WARN[1]:
        writing.warnings.append(
            f"The prompt's own key and its mean over contexts disagree (ρ = {ratio:.2f}); the edit may not hold at the "
            "bare prompt, or move more than it should."
        )
    direction = bare if mode == "p_rome" else mean[:, 0]
    key = mean[:, 0] if mode == "r_rome" else bare
    return closed_forms.rome(inverse, direction, key, residual[:, 0])


def _memit(writing: _Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    weight = writing.request.moments_weight * len(mean)
    return closed_forms.memit(writing.inverses[layer], mean, residual, weight)


def _emmet(writing: _Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    return closed_forms.emmet(writing.inverses[layer], mean, residual, writing.request.slack or 0.0)


def _alphaedit(writing: _Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    free = freedom_of(writing.lm, writing.moments[layer], writing.request.protect)
    projected = free.project(mean).square().sum(0)
    ridge = writing.request.ridge * float(projected.median())
    past = writing.past.moment(layer) if writing.past else None
    return closed_forms.alphaedit(free, mean, residual, past, ridge)


METHODS: dict[str, Method] = {
    "rome": Method(("value",), lambda left: 1.0, _rome),
    "memit": Method(("hidden",), lambda left: 1 / left, _memit),
    "emmet": Method(("hidden",), lambda left: 1 / left, _emmet),
    "alphaedit": Method(("hidden",), lambda left: 1 / left, _alphaedit),
    "pmet": Method(("attn", "value"), lambda left: 1 / math.sqrt(left), _memit),
}


def _method_of(request: EditRequest) -> tuple[Method, list[tuple[int, ...]]]:
    """The method, and its groups of layers in the order they are written.

    ACE (2510.07896): query layers and value layers, both written for the deepest value layer's state, what is left of
    it shared out in each group anew. The published code aims at the sub-blocks' outputs (`aim` mlp) and shares by
    1/sqrt(n); it writes the query layers first, the paper says value layers first.
    """
    layers = request.layers or ()
    if request.method != "ace":
        return METHODS[request.method], [layers]
    share = METHODS["memit" if request.spreading == "linear" else "pmet"].share
    sites: tuple[Site, ...] = ("hidden",) if request.aim == "block" else ("attn", "value")
    groups = [group for group in (request.shallow or (), layers) if group]
    return Method(sites, share, _memit), groups if request.order == "query_first" else groups[::-1]
