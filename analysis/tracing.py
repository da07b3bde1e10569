"""Causal tracing: blur the subject, repair one state at a time, see the answer return.

Meng et al., 2022 (ROME), section 2 and appendix B; metrics and symmetric token replacement
after Zhang & Nanda, 2309.16042. Every cell is exact: computed by resumed forwards, equal to one
full forward per cell (see app/bench/plain_tracing.py).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from analysis.blocks import Frame, Passage, Site, at_sites, first_hidden, record
from analysis.corruption import Corrupted, Corruption, noisy, other_subject, replace_subject, subject_scale
from analysis.errors import PromptTooLong
from analysis.lens import Lens, read_lens
from analysis.memory import free_bytes
from analysis.preview import preview
from analysis.resumed import Cell, groups, resume
from analysis.scores import TOP, Judge, Metric, Scores, foil_token
from analysis.study import Report, Request, provenance, silent
from analysis.tokens import Tokens, answer_token, subject_range
from analysis.windows import default_window, window_layers

if TYPE_CHECKING:
    from analysis.model import LanguageModel

Kind = Literal["state", "mlp", "attn", "severed_mlp", "severed_attn"]
KINDS: tuple[Kind, ...] = ("state", "mlp", "attn", "severed_mlp", "severed_attn")
ROW_BUDGET = {"cpu": 4096, "cuda": 1 << 16, "mps": 1 << 14}
"""Rows × tokens in one block call: large enough for the device's peak, small enough to cancel within a second."""


CELLS_AT_ONCE = 64
"""Cells unembedded together."""


class TraceRequest(Request):
    """Where does a state bring the answer back?"""

    prompt: str = Field(description="sentence that ends just before its answer")
    subject: str = Field(description="words of the prompt to blur")
    occurrence: int | None = Field(
        None, ge=0, description="which occurrence of the subject, from 0, if there are several"
    )
    answer: str | None = Field(None, description="answer to follow; the model's own when left out")
    foil: str | None = Field(
        None, description="word the answer is compared with; the blurred run's favourite when left out"
    )
    kinds: tuple[Kind, ...] = Field(
        ("state",), min_length=1, description="what to repair: state, mlp, attn, severed_mlp, severed_attn"
    )
    window: int | None = Field(
        None, ge=1, description="layers repaired together for mlp and attn; 10 of 48 layers' worth when left out"
    )
    corruption: Corruption = Field("noise", description="noise, or replace: another subject in its place")
    replacement: str | None = Field(
        None, description="text in the subject's place; a stored subject of equal length when left out"
    )
    noise: float = Field(3.0, ge=0, le=100, description="noise as a multiple of sigma")
    sigma: float | None = Field(
        None, gt=0, description="standard deviation of subject embeddings; measured when left out"
    )
    samples: int = Field(10, ge=1, le=100, description="noise samples")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the noise")
    severing_noise: Literal["equal", "published"] = Field(
        "equal", description="severed modules see the same noise (equal) or a second draw, as the published code does"
    )

    @field_validator("prompt")
    @classmethod
    def _no_trailing_space(cls, prompt: str) -> str:
        return prompt.rstrip()

    @field_validator("answer", "foil", "replacement")
    @classmethod
    def _blank_is_none(cls, text: str | None) -> str | None:
        return (text or "").strip() or None

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return tuple(kind for kind in KINDS if kind in kinds)

    @model_validator(mode="after")
    def _replacement_needs_replace(self) -> "TraceRequest":
        if self.replacement and self.corruption != "replace":
            raise ValueError("a replacement text needs corruption = replace")
        return self


@dataclass
class Grid:
    """Scores of one kind of repair; S samples, L layers, T tokens. Cells not computed are NaN."""

    kind: Kind
    window: int  # layers repaired together; 1 for states
    probability: np.ndarray  # (S, L, T)
    logit_difference: np.ndarray  # (S, L, T)
    kl: np.ndarray  # (S, L, T)
    top_ids: np.ndarray  # (L, T, TOP) likeliest next tokens of the repaired run
    top_probabilities: np.ndarray  # (L, T, TOP)

    @classmethod
    def blank(cls, kind: Kind, window: int, samples: int, layers: int, tokens: int) -> "Grid":
        """A grid with no cell computed."""
        blank = np.full((samples, layers, tokens), np.nan, dtype=np.float32)
        top = np.zeros((layers, tokens, TOP))
        return cls(kind, window, blank, blank.copy(), blank.copy(), top.astype(np.int32), top.astype(np.float32))

    def put(self, layers: list[int], token: int, scores: Scores) -> None:
        """Write scores (cells, S) of the given layers at one token."""
        self.probability[:, layers, token] = scores.probability.T
        self.logit_difference[:, layers, token] = scores.logit_difference.T
        self.kl[:, layers, token] = scores.kl.T
        self.top_ids[layers, token] = scores.top_ids
        self.top_probabilities[layers, token] = scores.top_probabilities

    @property
    def computed(self) -> np.ndarray:
        """(L, T) bool: cells that are there."""
        return ~np.isnan(self.probability[0])


@dataclass
class TraceResult:
    """A trace, complete or stopped on the way.

    `clean` and `blurred` hold the runs without any repair: scores of shape (1,) and (S,).
    """

    request: TraceRequest
    model: dict[str, Any]
    tokens: list[str]
    subject: tuple[int, int]  # tokens [b, e)
    answer: str
    answer_id: int
    foil: str
    foil_id: int
    sigma: float | None
    replacement: str | None
    clean: Scores
    blurred: Scores
    grids: dict[str, Grid]
    previews: dict[str, np.ndarray]  # per kind (L, T) attribution patching of the log-probability, nats
    lens: Lens
    words: dict[str, str]  # token id → text, for every id in the result
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def high(self) -> float:
        """Probability of the answer in the clean run."""
        return float(self.clean.probability[0])

    @property
    def low(self) -> float:
        """Mean probability of the answer in the corrupted runs."""
        return float(self.blurred.probability.mean())

    @property
    def cells(self) -> tuple[int, int]:
        """Cells computed, cells asked for."""
        return sum(int(g.computed.sum()) for g in self.grids.values()), sum(
            g.computed.size for g in self.grids.values()
        )

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        done, total = self.cells
        return done == total

    def samples(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """A metric per noise sample, (S, L, T), in the metric's own unit."""
        grid = self.grids[kind]
        if metric == "probability":
            return grid.probability
        if metric == "kl":
            return self.blurred.kl[:, None, None] - grid.kl
        if metric == "logit_difference":
            return grid.logit_difference
        low = self.blurred.logit_difference.mean()
        return (grid.logit_difference - low) / (self.clean.logit_difference[0] - low)

    def scores(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Mean over noise samples of a metric with the cell repaired, (L, T).

        probability: P(answer). logit_difference: logit(answer) − logit(foil).
        normalised_logit_difference: 0 for the corrupted run, 1 for the clean one.
        kl: D(clean ‖ corrupted) − D(clean ‖ repaired), nats.
        """
        return self.samples(kind, metric).mean(0)

    def baseline(self, metric: Metric = "probability") -> tuple[float, float]:
        """The metric in the corrupted and in the clean run."""
        if metric == "probability":
            return self.low, self.high
        if metric == "logit_difference":
            return float(self.blurred.logit_difference.mean()), float(self.clean.logit_difference[0])
        return (0.0, 1.0) if metric == "normalised_logit_difference" else (0.0, float(self.blurred.kl.mean()))

    def effects(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Indirect effect of every cell, (L, T): the metric with it repaired minus the metric without."""
        return self.scores(kind, metric) - self.baseline(metric)[0]

    def uncertainty(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Half width of the 95 % interval of every cell's paired effect over noise samples, (L, T)."""
        samples = self.samples(kind, metric)
        if len(samples) < 2:
            return np.zeros(samples.shape[1:])
        low = {"probability": self.blurred.probability, "logit_difference": self.blurred.logit_difference}.get(metric)
        paired = samples - low[:, None, None] if low is not None else samples
        return 1.96 * paired.std(0, ddof=1) / np.sqrt(len(samples))

    def agreement(self, kind: str) -> float:
        """Spearman's rank correlation of the preview with the exact log-probabilities, cells from the subject on."""
        rows = slice(self.subject[0], None)
        with np.errstate(divide="ignore"):
            exact = np.log(self.grids[kind].probability.clip(1e-30)).mean(0)[:, rows]
        ranks = [pd.Series(part.ravel()).rank() for part in (self.previews[kind][:, rows], exact)]
        return float(ranks[0].corr(ranks[1]))

    def spans(self, ids: np.ndarray) -> list[str]:
        """Texts of token ids kept in this result."""
        return [self.words[str(int(token))] for token in ids]


class _Trace:
    """One trace under way: the runs everything departs from, and the order of work."""

    def __init__(self, lm: "LanguageModel", request: TraceRequest):
        self.lm, self.request = lm, request
        self.tokens: Tokens = lm.encode(request.prompt)
        self.subject = subject_range(self.tokens, request.subject, request.occurrence)
        self._refuse_what_cannot_fit()
        self.corrupted, self.replacement = self._corrupt()
        self.frame = Frame(lm, self.tokens.tensor(lm.device))
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
            return Corrupted(self._noise(sigma, request.seed), self.tokens, sigma), None
        text = request.replacement or other_subject(lm, self.tokens, request.subject, self.subject)
        return replace_subject(lm, self.tokens, self.subject, text), text

    def _noise(self, sigma: float, seed: int) -> Tensor:
        scale = self.request.noise * sigma
        return noisy(self.lm, self.tokens, self.subject, scale=scale, samples=self.request.samples, seed=seed)

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
            subject=self.subject,
            answer=lm.words([self.judge.answer])[0],
            answer_id=self.judge.answer,
            foil=lm.words([self.judge.foil])[0],
            foil_id=self.judge.foil,
            sigma=self.corrupted.sigma,
            replacement=self.replacement,
            clean=self.clean_scores,
            blurred=self.base_scores,
            grids=grids,
            previews=previews,
            lens=lens,
            words={},
        )
        self.name_words(result)
        return result

    def name_words(self, result: TraceResult) -> None:
        """Make sure every token id of the result has its text beside it."""
        ids = [result.clean.top_ids, result.blurred.top_ids, result.lens.top_ids]
        ids += [grid.top_ids for grid in result.grids.values()]
        new = {int(i) for part in ids for i in np.unique(part)} - {int(i) for i in result.words}
        result.words.update({str(i): word for i, word in zip(sorted(new), self.lm.words(sorted(new)), strict=True)})

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
            base, forced = self._severed(site, token)
        return base, [Cell(layer, layer + 1, self._repaired(base, layer, token), forced) for layer in range(layers)]

    def _repaired(self, base: Passage, layer: int, token: int) -> Tensor:
        hidden = base.hidden[layer + 1][:, token:].clone()
        hidden[:, 0] = self.clean.hidden[layer + 1][:, token]
        return hidden

    def _severed(self, site: Site, token: int) -> tuple[Passage, dict[tuple[Site, int], Tensor]]:
        """The corrupted run with one module's outputs at a token held to a corrupted run's, and these outputs.

        With equal noise they are the run's own. The published code draws its noise twice, so that
        the held outputs stem from other noise than the run itself.
        """
        layers = range(self.lm.n_layers)
        if self.request.severing_noise == "equal" or self.corrupted.sigma is None:
            return self.base, {(site, layer): self.base.outputs[site][layer][:, token] for layer in layers}
        first, second = self._published_noise()
        held = record(self.frame, first, (site,)).outputs[site]
        forced = {(site, layer): held[layer][:, token] for layer in layers}

        def hold(at: Site, layer: int, output: Tensor) -> Tensor:
            output = output.clone()
            output[:, token] = forced[at, layer]
            return output

        with torch.no_grad(), at_sites(self.lm, (site,), hold):
            return record(self.frame, second), forced

    def _published_noise(self) -> tuple[Tensor, Tensor]:
        sigma = self.corrupted.sigma
        assert sigma is not None
        begin, end = self.subject
        request = self.request
        both = noisy(
            self.lm,
            self.tokens,
            (begin, end),
            scale=request.noise * sigma,
            samples=2 * request.samples,
            seed=request.seed,
        )
        return both[: request.samples], both[request.samples :]


def _rows(trace: _Trace, result: TraceResult) -> Iterator[tuple[Kind, int]]:
    """Rows (kind, token) still to be computed; cells before the subject are written at once."""
    for kind in result.request.kinds:
        grid = result.grids[kind]
        before = list(range(trace.subject[0]))
        every = list(range(trace.lm.n_layers))
        same = replace(
            result.blurred,
            **{
                name: np.broadcast_to(getattr(result.blurred, name), (len(every), *getattr(result.blurred, name).shape))
                for name in ("probability", "logit_difference", "kl", "top_ids", "top_probabilities")
            },
        )
        for token in before:
            grid.put(every, token, same)
        for token in trace.order():
            if not grid.computed[:, token].all():
                yield kind, token


def trace(
    lm: "LanguageModel", request: TraceRequest, report: Report = silent, *, resume_from: TraceResult | None = None
) -> TraceResult:
    """Trace a fact through the model, exactly.

    The result's grids hold, for every layer and token, the scores of the corrupted run with that
    one state (or window of sub-block outputs) set to its clean value. `resume_from` is a stopped
    result of the same request, whose cells are kept. Raises `BadRequest` and its kind for
    prompts, subjects and answers that do not fit.
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
        trace_.name_words(result)
        result.provenance = provenance(before + time.perf_counter() - started)
        return result

    tell(stamped())
    for kind, token in rows:
        base, cells = trace_.cells(kind, token)
        grid = result.grids[kind]
        missing = [cell for cell in cells if not grid.computed[cell.layer, token]]
        for group in groups(missing, budget):
            last = resume(trace_.frame, base, token, group, step)
            with torch.inference_mode():
                for part in range(0, len(group), CELLS_AT_ONCE):
                    scores = trace_.judge(lm.readout(last[part : part + CELLS_AT_ONCE]))
                    grid.put([cell.layer for cell in group[part : part + CELLS_AT_ONCE]], token, scores)
        tell(stamped())
    return stamped()
