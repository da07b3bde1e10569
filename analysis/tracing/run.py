"""Causal tracing, which is activation patching: corrupt the subject, repair one state at a time, see the answer return.

Meng et al., 2022 (ROME), section 2 and appendix B; metrics and symmetric token replacement
after Zhang & Nanda, 2309.16042. Every cell is exact: computed by resumed forwards, equal to one
full forward per cell (see app/bench/plain/tracing.py).
"""

import time
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import PromptTooLong
from analysis.forward.blocks import Frame, Passage, Site, at_sites, first_hidden, record
from analysis.forward.generation import answer_word
from analysis.forward.packed_weights import packed
from analysis.forward.resumed_forward import Cell, groups, resume
from analysis.free_memory import free_bytes
from analysis.internals.answer_scores import Judge, foil_token
from analysis.internals.layer_windows import default_window, window_layers
from analysis.internals.scores import Scores
from analysis.lens.run import read_lens
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from analysis.text.tokens import Tokens, answer_token, subject_range
from analysis.tracing.attribution_patching import preview
from analysis.tracing.corruption import Corrupted, noisy, other_subject, replace_subject, subject_scale
from analysis.tracing.result import Grid, Kind, TraceRequest, TraceResult

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROW_BUDGET = {"cpu": 2048, "cuda": 1 << 16, "mps": 1 << 14}
"""Rows × tokens in one block call: large enough for the device's peak, small enough to cancel within a second."""


CELLS_AT_ONCE = 64
"""Cells unembedded together."""


class _Trace:
    """One trace under way: the runs everything departs from, and the order of work."""

    def __init__(self, lm: "LanguageModel", request: TraceRequest):
        self.lm, self.request = lm, request
        self.tokens: Tokens = lm.encode(request.prompt)
        self.subject = subject_range(self.tokens, request.subject, request.occurrence)
        self._refuse_what_cannot_fit()
        self.corrupted, self.replacement = self._corrupt()
        self.frame = Frame.of(lm, self.tokens.tensor(lm.device))
        self.sites: tuple[Site, ...] = tuple(
            site for site in ("mlp", "attn") if any(kind.endswith(site) for kind in request.kinds)
        )
        with torch.no_grad():
            self.clean = record(self.frame, first_hidden(lm, self.tokens.tensor(lm.device)), self.sites)
            self.base = record(self.frame, self.corrupted.hidden, self.sites)
            clean_logits, base_logits = lm.readout(self.clean.last), lm.readout(self.base.last)
        answer = (
            answer_token(lm.tokenizer, self.tokens, request.answer) if request.answer else int(clean_logits[0].argmax())
        )
        foil = (
            answer_token(lm.tokenizer, self.tokens, request.foil) if request.foil else foil_token(base_logits, answer)
        )
        self.judge = Judge(answer, foil, clean_logits[0].log_softmax(-1))
        self.clean_scores, self.base_scores = self.judge(clean_logits), self.judge(base_logits)

    def _refuse_what_cannot_fit(self) -> None:
        """Two recorded runs and one block's attention must go into what is free."""
        lm, tokens, samples = self.lm, len(self.tokens), self.request.samples
        kept = 2 * samples * tokens * lm.d_model * (lm.n_layers + 1) * (2 + len(self.request.kinds))
        attention = 4 * samples * lm.n_heads * tokens * tokens
        needed, free = 4 * (kept + attention), free_bytes(lm.device)
        if needed > free:
            raise PromptTooLong(
                f"A trace of {tokens} tokens with {samples} samples needs about {needed / 1e9:.1f} GB; "
                f"{free / 1e9:.1f} GB are free. Shorten the prompt or take fewer samples."
            )

    def _corrupt(self) -> tuple[Corrupted, str | None]:
        request, lm = self.request, self.lm
        if request.corruption == "noise":
            sigma = request.sigma or subject_scale(lm)
            return Corrupted(self._noise(sigma, request.seed, request.samples), self.tokens, sigma), None
        text = request.replacement or other_subject(lm, self.tokens, request.subject, self.subject)
        return replace_subject(lm, self.tokens, self.subject, text), text

    def _noise(self, sigma: float, seed: int, samples: int) -> Tensor:
        scale = self.request.noise * sigma
        return noisy(self.lm, self.tokens, self.subject, scale=scale, samples=samples, seed=seed)

    @property
    def window(self) -> int:
        return self.request.window or default_window(self.lm.n_layers)

    def blank(self) -> TraceResult:
        """The result before any cell: runs without repair, lens, preview."""
        lm, request = self.lm, self.request
        shape = (self.base.hidden[0].shape[0], lm.n_layers, len(self.tokens))
        lens = read_lens(lm, self.clean, self.judge.answer)
        previews = preview(self.frame, self.clean, self.corrupted.hidden, self.judge.answer, request.kinds, self.window)
        grids: dict[str, Grid] = {
            kind: Grid.blank(kind, self.window if kind in ("mlp", "attn") else 1, *shape) for kind in request.kinds
        }
        result = TraceResult(
            request=request,
            model=lm.card(),
            tokens=list(self.tokens.labels),
            roles=list(self.tokens.roles),
            subject=self.subject,
            answer=answer_word(lm, self.tokens, self.judge.answer, request.answer),
            answer_id=self.judge.answer,
            foil=lm.said(self.tokens, [self.judge.foil])[0],
            foil_id=self.judge.foil,
            sigma=self.corrupted.sigma,
            replacement=self.replacement,
            clean=self.clean_scores,
            corrupted=self.base_scores,
            grids=grids,
            previews=previews,
            lens=lens,
            words={},
        )
        self.name_words(result, result.clean.top_ids, result.corrupted.top_ids, result.lens.top_ids)
        return result

    def name_words(self, result: TraceResult, *ids: np.ndarray) -> None:
        """Put the texts of token ids beside the result: before the ids, as a page may be reading it meanwhile."""
        new = {int(i) for part in ids for i in np.unique(part)} - {int(i) for i in result.words}
        words = self.lm.said(self.tokens, sorted(new))
        result.words.update({str(i): word for i, word in zip(sorted(new), words, strict=True)})

    def order(self) -> list[int]:
        """Tokens in the order a reader wants them: last of the subject, last of the prompt, then the rest."""
        first = [self.subject[1] - 1, len(self.tokens) - 1]
        return list(dict.fromkeys(first + list(range(self.subject[0], len(self.tokens)))))

    def work(self, kind: Kind, token: int) -> int:
        """Rows × tokens that block calls will compute for a row of cells."""
        layers = range(self.lm.n_layers)
        windowed = kind in ("mlp", "attn")
        joins = [window_layers(layer, self.window, len(layers))[0] if windowed else layer + 1 for layer in layers]
        return sum(len(layers) - join for join in joins) * len(self.base.hidden[0]) * (len(self.tokens) - token)

    def cells(self, kind: Kind, token: int) -> tuple[Passage, list[Cell]]:
        """All cells of a kind at one token, and the run they depart from."""
        layers = self.lm.n_layers
        base = self.base
        if kind in ("mlp", "attn"):
            site: Site = "mlp" if kind == "mlp" else "attn"
            out = self.clean.outputs[site]
            windows = [window_layers(centre, self.window, layers) for centre in range(layers)]
            return base, [
                Cell(
                    centre,
                    span[0],
                    base.hidden[span[0]][:, token:],
                    {(site, layer): out[layer][:, token] for layer in span},
                )
                for centre, span in enumerate(windows)
            ]
        forced: dict[tuple[Site, int], Tensor] = {}
        if kind != "state":
            site = "mlp" if kind == "severed_mlp" else "attn"
            base, forced = self._severed(kind, site, token)
        return base, [Cell(layer, layer + 1, self._repaired(base, layer, token), forced) for layer in range(layers)]

    def _repaired(self, base: Passage, layer: int, token: int) -> Tensor:
        hidden = base.hidden[layer + 1][:, token:].clone()
        hidden[:, 0] = self.clean.hidden[layer + 1][:, token]
        return hidden

    def draws_apart(self, kind: Kind) -> bool:
        """Whether a kind's runs see other noise than the corrupted run, as in the published code of severed modules."""
        return kind.startswith("severed") and self.request.draws_twice

    def unrepaired(self, kind: Kind) -> Scores:
        """Scores of the run a kind's cells depart from, without any repair: what a cell before the subject holds."""
        if not self.draws_apart(kind):
            return self.base_scores
        with torch.no_grad():
            return self.judge(self.lm.readout(record(self.frame, self._second_draw).last))

    def _severed(self, kind: Kind, site: Site, token: int) -> tuple[Passage, dict[tuple[Site, int], Tensor]]:
        """The corrupted run with one module's outputs at a token held to a corrupted run's, and these outputs.

        With equal noise they are the run's own. The published code draws its noise twice, so that
        the held outputs stem from other noise than the run itself.
        """
        forced = {(site, layer): output[:, token] for layer, output in enumerate(self.base.outputs[site])}
        if not self.draws_apart(kind):
            return self.base, forced

        def hold(at: Site, layer: int, output: Tensor) -> Tensor:
            output = output.clone()
            output[:, token] = forced[at, layer]
            return output

        with torch.no_grad(), at_sites(self.lm, (site,), hold):
            return record(self.frame, self._second_draw), forced

    @cached_property
    def _second_draw(self) -> Tensor:
        """Block 0's input with the noise that comes next from the same generator, (S, T, d_model)."""
        assert self.corrupted.sigma is not None
        samples = self.request.samples
        return self._noise(self.corrupted.sigma, self.request.seed, 2 * samples)[samples:]


def _rows(trace: _Trace, result: TraceResult) -> Iterator[tuple[Kind, int]]:
    """Rows (kind, token) still to be computed; cells before the subject are written at once."""
    for kind in result.request.kinds:
        grid = result.grids[kind]
        before = list(range(trace.subject[0]))
        every = list(range(trace.lm.n_layers))
        if before:
            scores = trace.unrepaired(kind)
            trace.name_words(result, scores.top_ids)
            same = Scores(
                *(
                    np.broadcast_to(part, (len(every), *part.shape))
                    for part in (getattr(scores, field.name) for field in fields(scores))
                )
            )
            for token in before:
                grid.put(every, token, same)
        for token in trace.order():
            if not grid.computed[:, token].all():
                yield kind, token


@framed
def trace(
    lm: "LanguageModel", request: TraceRequest, report: Report = silent, *, resume_from: TraceResult | None = None
) -> TraceResult:
    """Trace a fact through the model, exactly.

    The result's grids hold, for every layer and token, the scores of the corrupted run with that
    one state (or window of sub-block outputs) set to its clean value. `resume_from` is a stopped
    result of the same request, whose cells are kept. Raises `BadRequest` and its kind for
    prompts, subjects and answers that do not fit.

    Args:
        lm: a loaded model; left as it was.
        request: prompt, subject, what is repaired, how the subject is corrupted (noise in standard deviations of
            subjects' embeddings).
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: a stopped result of the same request.
    Returns:
        Grids (layers, tokens) of answer probability, logit difference and KL (nats), one for each kind of repair.
    Source:
        Meng et al. 2022, 2202.05262, section 2; Zhang and Nanda 2023, 2309.16042.
    Example:
        >>> from analysis import TraceRequest
        >>> prompt, subject = "The Eiffel Tower is located in the city of", "The Eiffel Tower"
        >>> trace(lm, TraceRequest(prompt=prompt, subject=subject, samples=1)).scores("state").shape  # layers, tokens
        (30, 10)
    """
    started = time.perf_counter()
    trace_ = _Trace(lm, request)
    result = trace_.blank()
    before = 0.0
    if resume_from is not None:
        result = replace(result, grids=resume_from.grids, words=dict(resume_from.words))
        before = resume_from.provenance.get("seconds", 0.0)
    rows = list(_rows(trace_, result))
    total = result.cells[1]
    budget = ROW_BUDGET.get(lm.device.type, 4096)
    worked, all_work = 0, max(1, sum(trace_.work(*row) for row in rows))

    def tell(partial: TraceResult | None = None) -> None:
        done, _ = result.cells
        report(done, total, "cells", partial, worked / all_work)

    def step(rows: int) -> None:
        nonlocal worked
        worked += rows
        tell()

    def stamped() -> TraceResult:
        result.provenance = provenance(before + time.perf_counter() - started)
        return result

    tell(stamped())
    with packed(lm):
        for kind, token in rows:
            base, cells = trace_.cells(kind, token)
            grid = result.grids[kind]
            missing = [cell for cell in cells if not grid.computed[cell.layer, token]]
            for group in groups(missing, budget):
                last = resume(trace_.frame, base, token, group, step)
                with torch.inference_mode():
                    for part in range(0, len(group), CELLS_AT_ONCE):
                        scores = trace_.judge(lm.readout(last[part : part + CELLS_AT_ONCE]))
                        trace_.name_words(result, scores.top_ids)
                        grid.put([cell.layer for cell in group[part : part + CELLS_AT_ONCE]], token, scores)
            tell(stamped())
    return stamped()
