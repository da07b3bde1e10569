"""By which road memory and page reach the answer: attention edges and modules cut, window by window.

Attention knock-out (Geva et al. 2023, section 4): the last token may not look at the subject, at the page's
answer, or at the other words after it, in a window of layers. Module knock-out: the output of MLPs or of
attention at one token is zero in a window. Edges from the last token change that token alone, so all
windows of a prompt run as one batch of single tokens; modules run as resumed forwards. Which figures the
PH3 paper shows could not be read; these are the standard cuts.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.forward.blocks import Frame, Passage, PrefixCache, Site, first_hidden, record
from analysis.forward.resumed_forward import Cell, groups, resume
from analysis.internals.attention_patterns import at_patterns, without
from analysis.internals.layer_windows import default_window, window_layers
from analysis.knowledge_conflict.result import KnockoutRequest, KnockoutResult
from analysis.knowledge_conflict.tokenised import Item, Source, answer_ids
from analysis.patching.path_patching import read_answers
from analysis.study import Report, provenance, silent
from analysis.text.finding import occurrences
from analysis.text.framing import framed
from analysis.text.tokens import find_own, token_range

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

EDGES = ("subject", "page’s answer", "other words")
BUDGET = 2048
"""Rows × tokens resumed together."""


def places(item: Item) -> dict[str, list[int]]:
    """Tokens of the page's answer, and of the subject and the other words behind it, the last token left out.

    `BadRequest` where one of them has no token of its own.
    """
    tokens, one = item.tokens, item.conflict
    find_own(tokens, one.context, occurrence=0, what="page’s answer")
    spans = [(tokens.begin + start, tokens.begin + end) for start, end in occurrences(tokens.prompt, one.context)]
    answer = [token for span in spans for token in range(*token_range(tokens, *span))]
    behind = spans[-1][1] - tokens.begin
    subjects = [place for place in occurrences(tokens.prompt, one.subject) if place[0] >= behind]
    if not subjects:
        raise BadRequest(f"The subject does not stand behind the page in “{tokens.prompt[:60]}…”.")
    subject = list(range(*token_range(tokens, *(tokens.begin + place for place in subjects[0]))))
    rest = [t for t in range(answer[-1] + 1, len(tokens) - 1) if t not in subject]
    return {"subject": subject, "page’s answer": answer, "other words": rest}


@torch.no_grad()
def cut_edges(lm: "LanguageModel", run: Passage, frame: Frame, keys: Sequence[list[int]], window: int) -> Tensor:
    """Final states (keys, L, d) of the last token with its edges to each group of keys cut around every layer."""
    layers, last = lm.n_layers, frame.length - 1
    windows = [window_layers(centre, window, layers) for centre in range(layers)]
    rows = [(group, centre) for group in range(len(keys)) for centre in range(layers)]

    def cut(layer: int, pattern: Tensor) -> Tensor | None:
        kept = torch.ones_like(pattern)
        for row, (group, centre) in enumerate(rows):
            if layer in windows[centre]:
                kept[row, :, -1, keys[group]] = 0
        return without(pattern, kept)

    hidden = run.hidden[0][:, last:].expand(len(rows), -1, -1)
    with at_patterns(lm, cut):
        for layer in range(layers):
            hidden = frame.run(layer, hidden, start=last, cache=PrefixCache(run.prefix_before(layer, last)))
    return hidden[:, -1].unflatten(0, (len(keys), layers))


@torch.no_grad()
def silence_modules(
    lm: "LanguageModel", run: Passage, frame: Frame, token: int, sites: Sequence[Site], window: int
) -> Tensor:
    """Final states (sites, L, d) of the last token with a module's output zero at `token` around every layer."""
    cells = {}
    for place, site in enumerate(sites):
        for centre in range(lm.n_layers):
            own = window_layers(centre, window, lm.n_layers)
            zeros = {(site, layer): torch.zeros(1, lm.d_model) for layer in own}
            cells[place, centre] = Cell(own[0], own[0], run.hidden[own[0]][:, token:], zeros)
    found = torch.empty(len(sites), lm.n_layers, lm.d_model)
    names = {id(cell): name for name, cell in cells.items()}
    for group in groups(cells.values(), BUDGET):
        for cell, end in zip(group, resume(frame, run, token, group), strict=True):
            found[names[id(cell)]] = end[0].cpu()
    return found


@framed
def knock_out(lm: "LanguageModel", request: KnockoutRequest, report: Report = silent) -> KnockoutResult:
    """Relative changes of P(remembered answer) and P(page's answer) over windows of layers, mean over conflicts.

    Args:
        lm: a loaded model; left as it was.
        request: which conflicts, and how many layers are cut together.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Of each road, (windows,) relative changes of both probabilities, mean over conflicts.
    Raises:
        `BadRequest` where too few of the facts are known.
    Source:
        Geva et al. 2023, 2304.14767.
    Example:
        >>> from analysis import KnockoutRequest
        >>> asked = KnockoutRequest(relations=("capital",), n=1, modules=False)
        >>> knock_out(lm, asked).request.n
        1
    """
    started = time.perf_counter()
    source = Source(lm, request.relations, request.form, request.at_least, request.seed, request.wording)
    window = request.window or default_window(lm.n_layers)
    used: set[tuple[str, str]] = set()
    changes: list[np.ndarray] = []
    kept: list[Item] = []
    cuts: list[str] = []
    while len(kept) < request.n and (found := source.take(1, used)):
        report(len(kept), request.n, "conflicts")
        try:
            cuts, change = one_prompt(lm, found[0], window, request.modules)
        except BadRequest as error:
            source.skipped.append(f"{found[0].conflict.id}: {error}")
            continue
        kept.append(found[0])
        changes.append(change)
    if not kept:
        raise BadRequest(f"{lm.name} knows none of these facts well enough. Lower the bound or take other relations.")
    report(request.n, request.n, "done")
    every = np.stack(changes)
    half = 1.96 * every.std(0, ddof=1) / np.sqrt(len(every)) if len(every) > 1 else np.full(every.shape[1:], np.nan)
    return KnockoutResult(
        request=request,
        model=lm.card(),
        window=window,
        cuts=cuts,
        change=every.mean(0),
        half_width=half,
        examples=[item.example("knockout") for item in kept],
        skipped=source.skipped,
        provenance=provenance(time.perf_counter() - started),
    )


@torch.no_grad()
def one_prompt(lm: "LanguageModel", item: Item, window: int, modules: bool) -> tuple[list[str], np.ndarray]:
    """Names of the cuts and ΔP/P of both answers, (cuts, L, 2), on one prompt."""
    keys = places(item)
    ids = item.tokens.tensor(lm.device)
    frame = Frame.of(lm, ids)
    run = record(frame, first_hidden(lm, ids))
    cuts = [f"last → {name}" for name in EDGES]
    ends = [cut_edges(lm, run, frame, [keys[name] for name in EDGES], window).cpu()]
    if modules:
        at = {"subject": keys["subject"][-1], "page’s answer": keys["page’s answer"][-1], "last": len(item.tokens) - 1}
        for name, token in at.items():
            cuts += [f"MLP at {name}", f"attention at {name}"]
            ends.append(silence_modules(lm, run, frame, token, ("mlp", "attn"), window))
    states = torch.cat(ends)
    answers = answer_ids([item])
    base, _ = read_answers(lm, run.last, answers)
    log, _ = read_answers(lm, states.flatten(0, 1), answers.expand(states.shape[0] * states.shape[1], -1))
    return cuts, (log - base).expm1().double().numpy().reshape(*states.shape[:2], 2)
