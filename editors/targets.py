"""The search for the value to write: Adam on a change at the subject's last token.

A change at the subject's last token of layer l alters nothing below l and nothing before that
token. So the rows are run once, and every step computes the blocks from l on, on the tokens from
the subject's last on, with all earlier keys and values kept: the same numbers as the full model's
loop (ROME, section 3.1; MEMIT, section 4.2), from a fraction of its work.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from analysis.key_value import output_matrix
from analysis.packed import packed
from analysis.study import Report, silent
from editors.request import EditRequest, Rewrite
from editors.rows import Row
from editors.sadr import restraint, searched, watched
from editors.suffixes import Suffixes, suffixes

if TYPE_CHECKING:
    from analysis.model import LanguageModel

Site = Literal["value", "hidden", "attn"]
"""Where a change is added: the output matrix's output, the block's output, the attention's output."""
FACTS_AT_ONCE = {"cpu": 8, "cuda": 64, "mps": 16}
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Targets:
    """What the search found; n facts, at most `steps` forwards."""

    base: dict[Site, Tensor]  # (n, d) what stood there before, bare prompt
    change: dict[Site, Tensor]  # (n, d)
    loss: np.ndarray  # (steps, n); NaN once a fact's search has ended
    probability: np.ndarray  # (steps, n) geometric mean over rows and tokens of P(target)
    former: np.ndarray  # (steps, n) P of what the model said at first, bare prompt

    def target(self, site: Site) -> Tensor:
        """The value to write, (n, d)."""
        return self.base[site] + self.change[site]


@dataclass(frozen=True)
class SoFar:
    """A search under way: what a page draws meanwhile."""

    probability: np.ndarray  # (steps so far, facts searched now)
    former: np.ndarray
    names: list[tuple[str, str]]  # of each fact searched now, the new answer and what was said at first
    steps: int  # at most


def search(
    lm: "LanguageModel",
    rows: Sequence[Row],
    layer: int,
    sites: tuple[Site, ...],
    request: EditRequest,
    report: Report = silent,
) -> Targets:
    """Find, for every fact of `rows`, the change at `layer` that makes the model say the new answer.

    `request` must be settled. `sites` is ("value",) for ROME, ("hidden",) for MEMIT, ("attn", "value") for PMET.
    """
    count = 1 + max(row.fact for row in rows)
    step = FACTS_AT_ONCE.get(lm.device.type, 8)
    parts: list[Targets] = []
    for begin in range(0, count, step):
        chosen = [row for row in rows if begin <= row.fact < begin + step]

        def told(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
            share = (begin + step * done / total) / (count + step)  # noqa: B023
            if count <= step:
                report(done, total, note, partial, share)
            else:
                report(min(begin, count), count, "facts searched", partial, share)  # noqa: B023

        with packed(lm):
            parts.append(_Search(lm, chosen, begin, layer, sites, request).run(told))
    return Targets(
        base={site: torch.cat([part.base[site] for part in parts]) for site in sites},
        change={site: torch.cat([part.change[site] for part in parts]) for site in sites},
        loss=np.concatenate([part.loss for part in parts], axis=1),
        probability=np.concatenate([part.probability for part in parts], axis=1),
        former=np.concatenate([part.former for part in parts], axis=1),
    )


def unreached(request: EditRequest, probability: np.ndarray) -> list[str]:
    """A sentence for each fact whose new answer never became likely; `probability` is (steps, n)."""
    wider = "a wider bound (norm) at a higher rate" if request.method == "ft" else "a larger clamp"
    return [
        f"The search for “{fact.target}” after “{fact.text}” reached {best:.0%} only. More steps, {wider} or another "
        "layer may help."
        for fact, best in zip(request.facts, np.nanmax(probability, axis=0), strict=True)
        if best < 0.5
    ]


def said_at_first(lm: "LanguageModel", answers: Sequence[tuple[Rewrite, int]]) -> list[tuple[str, str]]:
    """New answers, each beside the word of the token that was said before it."""
    return [(fact.target, lm.said(lm.encode(fact.text), [token])[0].strip()) for fact, token in answers]


class _Search:
    """The search for a few facts together; each has its own change, moments and end."""

    def __init__(
        self,
        lm: "LanguageModel",
        rows: Sequence[Row],
        begin: int,
        layer: int,
        sites: tuple[Site, ...],
        request: EditRequest,
    ):
        self.lm, self.layer, self.sites, self.request = lm, layer, sites, request
        self.count = 1 + max(row.fact for row in rows) - begin
        self.wanted = request.facts[begin : begin + self.count]
        self.first = layer + 1 if sites == ("hidden",) else layer
        self.device = lm.block_devices[layer]
        self.matrix = output_matrix(lm, layer)
        self.base = {site: torch.zeros(self.count, lm.d_model, device=self.device) for site in sites}
        self.change = {site: torch.zeros(self.count, lm.d_model, device=self.device) for site in sites}
        self.noting = True  # in the first forward, where the change is zero: what the model did of itself
        self.said: dict[int, Tensor] = {}  # of each fact, log-probabilities at the subject at first
        self.answered: dict[int, int] = {}  # of each fact, the token the bare prompt was answered with at first
        self.parts = suffixes(lm, rows, begin, self.first, self.device)
        asked = [row.fact - begin for row in rows if row.targets]
        self.prompts = torch.bincount(torch.tensor(asked), minlength=self.count).to(self.device)
        if sites == ("hidden",):
            for part in self.parts:
                self.base["hidden"][part.facts[part.bare]] = part.hidden[part.bare, 0].to(self.device).float()

    def run(self, report: Report) -> Targets:
        """Adam until every fact's loss is small enough, or the steps are used up."""
        request = self.request
        steps = searched(request)
        moments = {site: (torch.zeros_like(c), torch.zeros_like(c)) for site, c in self.change.items()}
        active = torch.ones(self.count, dtype=torch.bool, device=self.device)
        losses, probabilities, formers = [], [], []
        for step in range(steps):
            for change in self.change.values():
                change.requires_grad_(True)
            loss, log_probability, former = self._loss()
            losses.append(torch.where(active, loss.detach(), torch.nan).cpu().numpy())
            probabilities.append(torch.where(active, log_probability.detach().exp(), torch.nan).cpu().numpy())
            formers.append(torch.where(active, former, torch.nan).cpu().numpy())
            names = [(wanted, self.answered[fact]) for fact, wanted in enumerate(self.wanted)]
            so_far = SoFar(np.array(probabilities), np.array(formers), said_at_first(self.lm, names), steps)
            report(step + 1, steps, "steps of the search", so_far)
            ended = active & (loss.detach() < request.enough)
            active = active & ~ended
            if step == steps - 1 or not active.any():
                break
            self.parts = [part.kept(active) for part in self.parts if active[part.facts].any()]
            gradients = torch.autograd.grad(loss[active].sum(), list(self.change.values()))
            with torch.no_grad():
                for (site, change), gradient in zip(list(self.change.items()), gradients, strict=True):
                    self.change[site] = self._stepped(site, change, gradient, moments[site], step + 1, active)
        return Targets(
            base={site: base.cpu() for site, base in self.base.items()},
            change={site: change.detach().cpu() for site, change in self.change.items()},
            loss=_padded(losses, steps),
            probability=_padded(probabilities, steps),
            former=_padded(formers, steps),
        )

    def _stepped(
        self, site: Site, change: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], step: int, active: Tensor
    ) -> Tensor:
        """One step of Adam for the facts still searched, then back into the ball of the clamp."""
        first, second = moments
        first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        unbiased = (second / (1 - BETAS[1] ** step)).sqrt() + EPSILON
        new = change.detach() - (self.request.rate or 0.5) / (1 - BETAS[0] ** step) * first / unbiased
        bound = (self.request.clamp or 4.0) * self.base[site].norm(dim=1, keepdim=True)
        new = new * (bound / new.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)
        return torch.where(active[:, None], new, change.detach())

    def _loss(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of each fact (n,): loss, weighted mean log-probability of its answer, probability of the former one."""
        request = self.request
        log_probability = torch.zeros(self.count, device=self.device)
        drift = torch.zeros(self.count, device=self.device)
        former = torch.full((self.count,), torch.nan, device=self.device)
        held = torch.zeros(self.count, device=self.device)
        for index, part in enumerate(self.parts):
            attention: dict[int, Tensor] = {}
            with watched(self.lm, self.layer, part.ends, attention, on=bool(request.sadr)):
                last = self._last_hidden(part)
            if attention:
                held = held + self._held(index, attention)
            rows = torch.cat((part.picks[:, 0], part.anchors))
            places = torch.cat((part.picks[:, 1], torch.zeros_like(part.anchors)))
            said = self.lm.readout(last[rows, places]).log_softmax(-1)  # one reading of the unembedding for all
            if count := len(part.picks):
                chosen = said[:count].gather(1, part.targets.to(said.device)[:, None])[:, 0]
                facts = part.facts[part.picks[:, 0].to(self.device)]
                own = (chosen * part.weights.to(said.device)).to(self.device)
                log_probability = log_probability.index_add(0, facts, own)
                for fact, logs in zip(facts[part.leads].tolist(), said.detach()[part.leads], strict=True):
                    self.answered.setdefault(fact, int(logs.argmax()))
                    former[fact] = logs[self.answered[fact]].exp()
            if len(part.anchors):
                now = said[count:]
                facts = part.facts[part.anchors.to(self.device)]
                for fact, logs in zip(facts.tolist(), now.detach(), strict=True):
                    self.said.setdefault(fact, logs)
                before = torch.stack([self.said[fact] for fact in facts.tolist()])
                drift = drift.index_add(0, facts, (now.exp() * (now - before)).sum(-1).to(self.device))
        length = sum(
            change.norm(dim=1) / self.base[site].norm(dim=1).square().clamp_min(1e-12)
            for site, change in self.change.items()
        )
        self.noting = False
        loss = -log_probability + request.kl * drift + request.decay * length
        return loss + request.sadr * held if request.sadr else loss, log_probability, former

    def _held(self, index: int, attention: dict[int, Tensor]) -> Tensor:
        """Of each fact (n,): drift of its attention, mean over its prompts (SADR); the first call is the norm."""
        part = self.parts[index]
        if not part.vanilla:
            own = {layer: rows.detach() for layer, rows in attention.items()}
            part = self.parts[index] = replace(part, vanilla=own)
        subject = next(iter(attention.values())).shape[-1] - part.hidden.shape[1]
        drifted = restraint(part.vanilla, attention, subject, self.request).to(self.device)
        asked = (part.ends >= 0).to(self.device)
        facts = part.facts[asked]
        held = torch.zeros(self.count, device=self.device)
        return held.index_add(0, facts, drifted[asked] / self.prompts[facts])

    def _last_hidden(self, part: Suffixes) -> Tensor:
        """The last block's output (rows, tokens from the subject's last, d_model) with the changes added."""
        hidden = part.hidden
        if self.sites == ("hidden",):
            hidden = _added(hidden, self.change["hidden"][part.facts].to(hidden.device))
        with self._changed(part):
            return part.run(self.lm, hidden)

    @contextmanager
    def _changed(self, part: Suffixes) -> Iterator[None]:
        """Add the changes inside block `layer`; in the first forward also note what stood there before.

        Only then: where an MLP reads what the attention wrote, the attention's change moves the MLP's own value.
        """

        def hook(site: Site) -> Any:
            def call(_: Any, __: Any, output: Tensor) -> Tensor:
                rows = output.reshape(len(part.facts), -1, output.shape[-1])
                if self.noting and part.bare.any():
                    self.base[site][part.facts[part.bare]] = rows[part.bare, 0].detach().float()
                return _added(rows, self.change[site][part.facts]).reshape(output.shape)

            return call

        handles = []
        for site in self.sites:
            if site != "hidden":
                module = self.matrix.module if site == "value" else self.lm.blocks[self.layer].hook_attn_out
                handles.append(module.register_forward_hook(hook(site)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _added(rows: Tensor, change: Tensor) -> Tensor:
    """`change` (rows, d) added to the first position of `rows` (rows, tokens, d), out of place."""
    first = rows[:, :1] + change[:, None].to(rows)
    return torch.cat((first, rows[:, 1:]), dim=1)


def _padded(curve: list[np.ndarray], steps: int) -> np.ndarray:
    return np.concatenate([np.array(curve), np.full((steps - len(curve), curve[0].shape[0]), np.nan)])
