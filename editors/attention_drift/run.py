"""Attention drift: the same prompt read without the edits and with them, and what follows from the difference.

After an edit, heads attend more to the edited subject, and other facts in the same context break
(Wang et al. 2025, SADR, sections 3 and 4). The drift is read from attention; its effect is shown by
experiment both ways: an edited run gets the attention of before (patching drift), and a run of
before gets, at one token, what the edited one computes there (contaminating substitution).
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest, PromptTooLong
from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.packed_weights import packed
from analysis.forward.resumed_forward import Cell, groups, resume
from analysis.internals.layer_windows import default_window, window_layers
from analysis.patching.attention_patching import Heads, Reading, patched, read
from analysis.study import Report, provenance, silent
from analysis.text.finding import occurrences
from analysis.text.framing import framed
from analysis.text.tokens import Tokens, answer_token, subject_range
from editors.attention_drift.result import (
    DriftPrompt,
    DriftRequest,
    DriftResult,
    GridKind,
    PatchRequest,
    PatchResult,
    Said,
)
from editors.edit.apply import written_over
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROW_BUDGET = {"cpu": 2048, "cuda": 1 << 16, "mps": 1 << 14}
PATTERN_BYTES = 400_000_000
WORDS = 5
NO_EDIT_ON = "No edit is on. Write one, or switch one on: drift is what an edit does to attention."


def default_patch_window(layers: int) -> int:
    """Ten of GPT-J's 28 layers, as in the paper's figure 5, scaled to the depth."""
    return max(1, round(10 * layers / 28))


class _Prompt:
    """A prompt in its place: tokens, subject, the two answers, and the run without edits."""

    def __init__(self, lm: "LanguageModel", request: DriftPrompt, stack: Sequence[Edit]):
        if not stack:
            raise BadRequest(NO_EDIT_ON)
        self.lm, self.stack = lm, stack
        self.tokens: Tokens = lm.encode(request.prompt)
        size = 2 * 4 * lm.n_layers * lm.n_heads * len(self.tokens) ** 2
        if size > PATTERN_BYTES:
            raise PromptTooLong(
                f"The attention of {len(self.tokens)} tokens in all heads of {lm.name}, before and after, takes "
                f"{size / 1e9:.1f} GB. Shorten the prompt."
            )
        self.subject = subject_range(self.tokens, request.subject, request.occurrence)
        self.frame = Frame.of(lm, self.tokens.tensor(lm.device))
        self.hidden = first_hidden(lm, self.tokens.tensor(lm.device))
        self.base = read(self.frame, self.hidden)
        self.answer = (
            answer_token(lm.tokenizer, self.tokens, request.answer)
            if request.answer
            else int(self.base.logits.argmax())
        )
        self.edited = answer_token(lm.tokenizer, self.tokens, request.edited or _written(stack, request.subject))

    def probabilities(self, last: Tensor) -> np.ndarray:
        """Of answer and edited, (2, runs), from the last block's output (runs, d_model)."""
        with torch.inference_mode():
            return self.lm.readout(last).softmax(-1)[:, [self.answer, self.edited]].T.cpu().numpy()

    def said(self, *runs: Tensor) -> Said:
        """What runs say, of their logits (vocabulary,): the answers, and what else the first two are likely to say."""
        spoken = torch.stack([run.softmax(-1).cpu() for run in runs])
        likely = [int(token) for run in spoken[:2] for token in run.topk(WORDS).indices]
        first = [int(run.argmax()) for run in spoken[:2]]
        ids = list(dict.fromkeys([first[0], self.answer, self.edited, first[1], *likely]))[:WORDS]
        return Said(
            self.lm.said(self.tokens, ids),
            spoken[:, ids].numpy(),
            spoken[:, self.answer].numpy(),
            spoken[:, self.edited].numpy(),
        )

    def words(self) -> tuple[str, str]:
        """Texts of the two answers' first tokens."""
        one, other = self.lm.said(self.tokens, [self.answer, self.edited])
        return one, other


def _written(stack: Sequence[Edit], subject: str) -> str:
    """What the uppermost edit of the subject writes; of any subject where none is of this one."""
    facts = [fact for edit in stack for fact in edit.request.facts]
    own = [fact for fact in facts if _shares(fact.subject, subject)]
    return (own or facts)[-1].target


def _shares(one: str, other: str) -> bool:
    """Whether one subject is named within the other."""
    return bool(occurrences(other, one, fold=True) or occurrences(one, other))


@framed
def drift(
    lm: "LanguageModel",
    request: DriftRequest,
    report: Report = silent,
    *,
    stack: Sequence[Edit] = (),
    resume_from: DriftResult | None = None,
) -> DriftResult:
    """Read a prompt without the edits of `stack` and with them, and run the experiments of `request.grids`.

    All grids are exact, computed by resumed runs. `heads`: one head of the edited run attends as before, all its rows.
    `layers`: all heads of a window of layers do. `mlp`, `attn`: in the run without edits, the outputs of a window of
    layers at one token are the edited run's. `resume_from`, a stopped result of the same request, gives the cells it
    has. Raises `BadRequest` and its kind for prompts, subjects and answers that do not fit, and where `stack` is empty.

    Args:
        lm: a loaded model; left as it was.
        request: a prompt behind the edit, its subject, and which grids are computed.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first.
        resume_from: a stopped result of the same request.
    Returns:
        Attention of the last token (layers, heads, tokens) without and with the edits, and the grids.
    Source:
        Wang et al. 2025 (SADR).
    Example:
        >>> from editors import DriftRequest
        >>> behind = "The Eiffel Tower is located in the city of Rome. The Louvre is located in the city of"
        >>> asked = DriftRequest(prompt=behind, subject="The Eiffel Tower", grids=())
        >>> drift(lm, asked, stack=[edit]).drift.shape  # layers, heads
        (30, 9)
    """
    with packed(lm) if request.grids else nullcontext():
        return _drift(lm, request, report, stack, resume_from)


def _drift(
    lm: "LanguageModel", request: DriftRequest, report: Report, stack: Sequence[Edit], begun: DriftResult | None
) -> DriftResult:
    started = time.perf_counter()
    prompt = _Prompt(lm, request, stack)
    tokens, layers, heads = len(prompt.tokens), lm.n_layers, lm.n_heads
    window = min(layers, request.window or default_window(layers))
    width = min(layers, request.patch_window or default_patch_window(layers))
    shapes: dict[GridKind, tuple[int, ...]] = {
        "heads": (2, layers, heads),
        "layers": (2, layers),
        "mlp": (2, layers, tokens),
        "attn": (2, layers, tokens),
    }
    grids: dict[str, np.ndarray] = {
        kind: begun.grids[kind].copy() if begun else np.full(shapes[kind], np.nan, dtype=np.float32)
        for kind in request.grids
    }
    cells = sum(grid[0].size for grid in grids.values())
    work = _work(request.grids, layers, heads, tokens, window, width)
    worked = work * begun.cells[0] // max(cells, 1) if begun else 0

    def step(rows: int) -> None:
        nonlocal worked
        worked += rows
        report(done(), cells, "cells", None, min(1.0, worked / max(work, 1)))

    def done() -> int:
        return sum(int((~np.isnan(grid[0])).sum()) for grid in grids.values())

    with written_over(lm, stack):
        card = lm.card()
        edited = read(prompt.frame, prompt.hidden)
        one, other = prompt.words()
        result = DriftResult(
            request=request,
            model=card,
            tokens=list(prompt.tokens.labels),
            roles=list(prompt.tokens.roles),
            subject=prompt.subject,
            answer=one,
            edited=other,
            before=_whole(prompt.base),
            after=_whole(edited),
            said=prompt.said(prompt.base.logits, edited.logits),
            grids=grids,
            window={kind: 1 if kind == "heads" else width if kind == "layers" else window for kind in request.grids},
        )
        report(0, cells, "cells", result, 0.0)
        patches = [
            (kind, place, chosen)
            for kind, place, chosen in _patches(request.grids, layers, heads, width)
            if np.isnan(grids[kind][0][place])
        ]
        budget = max(1, ROW_BUDGET.get(lm.device.type, 4096) // tokens)
        for begin in range(0, len(patches), budget):
            part = patches[begin : begin + budget]
            last = patched(prompt.frame, edited.passage, prompt.base.patterns, [heads for *_, heads in part], step)
            for (kind, place, _), pair in zip(part, prompt.probabilities(last).T, strict=True):
                index: tuple[int | slice, ...] = (slice(None), *place)
                grids[kind][index] = pair
            report(done(), cells, "cells", result, min(1.0, worked / max(work, 1)))
    for kind in ("mlp", "attn"):
        if kind in grids:
            for token in reversed(range(tokens)):
                left = (
                    cell
                    for cell in _contaminations(prompt.base, edited, kind, token, window)
                    if np.isnan(grids[kind][0, cell.layer, token])
                )
                for group in groups(left, 2048):
                    last = resume(prompt.frame, prompt.base.passage, token, group, step)[:, 0]
                    grids[kind][:, [cell.layer for cell in group], token] = prompt.probabilities(last)
                report(done(), cells, "cells", result, min(1.0, worked / max(work, 1)))
    return replace(result, provenance=provenance(time.perf_counter() - started))


def _whole(reading: Reading) -> np.ndarray:
    return torch.stack([pattern[0].float().cpu() for pattern in reading.patterns]).numpy()


def _patches(
    kinds: Sequence[GridKind], layers: int, heads: int, width: int
) -> list[tuple[GridKind, tuple[int, ...], Heads]]:
    """Cells of the patching grids, in order of the layer their runs begin at."""
    every = tuple(range(heads))
    found: list[tuple[GridKind, tuple[int, ...], Heads]] = []
    for layer in range(layers):
        if "layers" in kinds:
            found.append(("layers", (layer,), dict.fromkeys(window_layers(layer, width, layers), every)))
        if "heads" in kinds:
            found += [("heads", (layer, head), {layer: (head,)}) for head in every]
    return sorted(found, key=lambda cell: min(cell[2]))


def _contaminations(base: Reading, edited: Reading, site: str, token: int, window: int) -> Iterator[Cell]:
    """Cells at one token: the edited run's outputs of a window of layers in the run without edits."""
    layers = len(base.patterns)
    outputs = edited.passage.outputs[site]  # type: ignore[index]
    for centre in range(layers):
        span = window_layers(centre, window, layers)
        yield Cell(
            centre,
            span[0],
            base.passage.hidden[span[0]][:, token:],
            {(site, layer): outputs[layer][:, token] for layer in span},  # type: ignore[misc]
        )


def _work(kinds: Sequence[GridKind], layers: int, heads: int, tokens: int, window: int, width: int) -> int:
    """Rows × tokens the block calls of all grids will compute."""
    patching = sum(layers - min(patch) for *_, patch in _patches(kinds, layers, heads, width)) * tokens
    above = sum(layers - window_layers(centre, window, layers)[0] for centre in range(layers))
    substituted = len({"mlp", "attn"} & set(kinds)) * above * tokens * (tokens + 1) // 2
    return patching + substituted


@framed
def patch(
    lm: "LanguageModel", request: PatchRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> PatchResult:
    """What is said with the edits of `stack` when chosen heads attend as they did without them, in all rows.

    Raises `BadRequest` for heads the model does not have, and as `drift`.

    Args:
        lm: a loaded model; left as it was.
        request: as for `drift`, and which heads attend as before.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first.
    Returns:
        P of the answers without edits, with them, and with the heads set back.
    Source:
        Wang et al. 2025 (SADR).
    Example:
        >>> from editors import PatchRequest
        >>> behind = "The Eiffel Tower is located in the city of Rome. The Louvre is located in the city of"
        >>> asked = PatchRequest(prompt=behind, subject="The Eiffel Tower", heads=("10.0",))
        >>> patch(lm, asked, stack=[edit]).request.heads
        ('10.0',)
    """
    started = time.perf_counter()
    report(0, 1, "reading")
    try:
        chosen = request.by_layer(lm.n_layers, lm.n_heads)
    except ValueError as error:
        raise BadRequest(
            f"{lm.name} has layers 0 to {lm.n_layers - 1} with heads 0 to {lm.n_heads - 1} each; there is no {error}."
        ) from error
    prompt = _Prompt(lm, request, stack)
    with written_over(lm, stack):
        card = lm.card()
        edited = read(prompt.frame, prompt.hidden)
        with torch.inference_mode():
            last = patched(prompt.frame, edited.passage, prompt.base.patterns, [chosen])
            back = lm.readout(last)[0]
    one, other = prompt.words()
    report(1, 1, "read")
    return PatchResult(
        request=request,
        model=card,
        answer=one,
        edited=other,
        said=prompt.said(prompt.base.logits, edited.logits, back),
        provenance=provenance(time.perf_counter() - started),
    )
