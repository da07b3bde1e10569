"""Two-hop recall: each hop alone, the whole, its shortcuts, and where the middle can be read.

Filters and back-patching after Biran et al., 2406.12775; entity recall after Yang et al., 2402.16837 (here through the
model's own norm and head, bias included); knock-out after Geva et al., 2304.14767.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.chains import Chain, chain, read_chains
from analysis.forward.blocks import Frame, Passage, first_hidden, record
from analysis.forward.packed_weights import packed
from analysis.internals.attention_patterns import Edges, knocked_out
from analysis.internals.layer_windows import window_layers
from analysis.multihop.result import HopsRequest, HopsResult
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from analysis.text.tokens import Tokens, answer_token, find_own, subject_range, token_range

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def chosen(request: HopsRequest) -> list[Chain]:
    """The chains a request asks for; pairs of relations in turn where a limit is set."""
    if request.chains:
        return [chain(name) for name in request.chains][: request.limit]
    every = read_chains()
    for name in ("first", "second"):
        known = {getattr(one, name) for one in every}
        if unknown := set(getattr(request, name)) - known:
            raise BadRequest(
                f"There is no {name} hop {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}."
            )
    kept = [
        one
        for one in every
        if (not request.first or one.first in request.first) and (not request.second or one.second in request.second)
    ]
    groups: dict[tuple[str, str], list[Chain]] = {}
    for one in kept:
        groups.setdefault((one.first, one.second), []).append(one)
    longest = max(map(len, groups.values()), default=0)
    mixed = [group[i] for i in range(longest) for group in groups.values() if i < len(group)]
    return mixed[: request.limit]


@framed
def hops(
    lm: "LanguageModel", request: HopsRequest, report: Report = silent, *, resume_from: HopsResult | None = None
) -> HopsResult:
    """Ask every chain hop by hop and whole, and read bridge and answer at every layer of the whole.

    An answer counts as right when its first token is the likeliest next one. A step is a chain's questions, which
    are not taken apart, a window of layers cut, or a layer put in others' place; `resume_from`, a stopped result of
    the same request, has some. Raises `BadRequest` for unknown chains and relations, or when none of the chains can be
    asked.

    Args:
        lm: a loaded model; left as it was.
        request: which chains, and whether windows are cut and later states put back.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: a stopped result of the same request.
    Returns:
        Of each chain: whether each hop and the whole are right, and where bridge and answer are read.
    Source:
        Biran et al. 2024, 2406.12775.
    Example:
        >>> from analysis import HopsRequest
        >>> from analysis.facts.chains import read_chains
        >>> found = hops(lm, HopsRequest(chains=(read_chains()[0].id,)))
        >>> found.probability.shape  # chains, ways of asking
        (1, 5)
    """
    with packed(lm), torch.no_grad():
        return _asked(lm, request, report, resume_from)


@dataclass
class _Row:
    """What was found of one chain."""

    chain: Chain
    probability: list[float]
    correct: list[bool]
    said: list[str]
    whole: list[bool]
    recall: list[list[float]]
    cut: np.ndarray  # (2, layers tried) NaN where not yet cut
    patched: np.ndarray  # (from, to)

    def done(self) -> int:
        """Steps taken."""
        return 1 + int((~np.isnan(self.cut[0])).sum()) + int((~np.isnan(self.patched.diagonal())).sum())


def _asked(lm: "LanguageModel", request: HopsRequest, report: Report, begun: HopsResult | None) -> HopsResult:
    started = time.perf_counter()
    before = begun.provenance["seconds"] if begun else 0.0
    known: dict[tuple[str, str], tuple[float, bool, str]] = {}
    wanted = chosen(request)
    layers = list(range(0, lm.n_layers, request.stride))
    cuts, puts = len(layers) * request.knock_out, len(layers) * request.back_patch
    each = 1 + cuts + puts
    rows = {row.chain.id: row for row in _rows(begun, cuts, puts)}
    skipped = list(begun.skipped) if begun else []

    def tell() -> None:
        found = result() if rows else None
        report(done(), each * len(wanted), "steps", found)

    def look() -> None:
        report(done(), each * len(wanted), "steps")

    def done() -> int:
        return sum(row.done() for row in rows.values()) + each * len(skipped)

    def result() -> HopsResult:
        found, wordings = list(rows.values()), max(len(row.whole) for row in rows.values())
        return HopsResult(
            request=request,
            model=lm.card(),
            chains=[row.chain for row in found],
            probability=np.array([row.probability for row in found]),
            correct=np.array([row.correct for row in found], dtype=bool),
            said=[row.said for row in found],
            whole_correct=np.array([[*row.whole, *[False] * (wordings - len(row.whole))] for row in found], dtype=bool),
            recall=np.array([row.recall for row in found]),
            cut=np.array([row.cut.copy() for row in found]) if cuts else np.array([]),
            cut_layers=layers if cuts else [],
            patched=np.array([row.patched.copy() for row in found]) if puts else np.array([]),
            patched_layers=layers if puts else [],
            skipped=list(skipped),
            provenance=provenance(before + time.perf_counter() - started),
            steps=(done(), each * len(wanted)),
        )

    tell()
    for one in wanted:
        row = rows.get(one.id)
        if (row is not None and row.done() == each) or any(told.startswith(f"{one.id}: ") for told in skipped):
            continue
        try:
            run = _Run(lm, one, known)
        except WorkbenchError as error:
            skipped.append(f"{one.id}: {error}")
            continue
        if row is None:
            row = rows[one.id] = run.row(cuts, puts, look)
            tell()
        for at in range(cuts):
            if np.isnan(row.cut[0, at]):
                row.cut[:, at] = [run.cut(tokens, layers[at], request.window) for tokens in (run.subject, run.end)]
                tell()
        for at in range(puts):
            if np.isnan(row.patched[at, at]):
                row.patched[at:, at] = run.back_patched(layers[at], layers[at:])
                tell()
    if not rows:
        raise BadRequest(f"None of the {len(wanted)} chains can be asked of {lm.name}. {skipped[0] if skipped else ''}")
    return result()


def _rows(begun: HopsResult | None, cuts: int, puts: int) -> list[_Row]:
    """What a stopped result holds, chain by chain."""
    if begun is None:
        return []
    return [
        _Row(
            one,
            begun.probability[at].tolist(),
            begun.correct[at].tolist(),
            begun.said[at],
            begun.whole_correct[at, : len(one.questions)].tolist(),
            begun.recall[at].tolist(),
            begun.cut[at].copy() if cuts else np.empty((2, 0)),
            begun.patched[at].copy() if puts else np.empty((0, 0)),
        )
        for at, one in enumerate(begun.chains)
    ]


class _Run:
    """One chain's whole question, recorded."""

    def __init__(self, lm: "LanguageModel", one: Chain, known: dict[tuple[str, str], tuple[float, bool, str]]):
        self.lm, self.chain, self.known = lm, one, known
        self.questions = [
            (one.hop_one, one.bridge),
            (one.hop_two(), one.answer),
            (one.whole(), one.answer),
            (one.without_subject(), one.answer),
            (one.without_first_hop(), one.answer),
        ]
        self.tokens: Tokens = lm.encode(one.whole())
        self.subject = tuple(range(*subject_range(self.tokens, one.subject, 0)))
        begin, end = find_own(self.tokens, one.described, occurrence=0, folded=True)
        self.end = (token_range(self.tokens, begin, end)[1] - 1,)
        self.answer = answer_token(lm.tokenizer, self.tokens, one.answer)
        self.bridge = answer_token(lm.tokenizer, self.tokens, one.bridge)
        for prompt, answer in self.questions:
            answer_token(lm.tokenizer, lm.encode(prompt), answer)
        ids = self.tokens.tensor(lm.device)
        self.frame = Frame.of(lm, ids)
        self.passage: Passage = record(self.frame, first_hidden(lm, ids))

    def row(self, cuts: int, puts: int, look: Callable[[], None]) -> _Row:
        """All that is asked of the chain, nothing cut or put in another’s place yet; `look` between prompts."""
        one = self.chain
        wordings = [(one.whole(number), one.answer) for number in range(len(one.questions))]
        for question in (*self.questions, *wordings):
            look()
            self.ask(*question)
        look()
        asked = [self.ask(*question) for question in self.questions]
        return _Row(
            one,
            [p for p, _, _ in asked],
            [right for _, right, _ in asked],
            [said for _, _, said in asked],
            [self.ask(*question)[1] for question in wordings],
            self.recall(),
            np.full((2, cuts), np.nan),
            np.full((puts, puts), np.nan),
        )

    def ask(self, prompt: str, answer: str) -> tuple[float, bool, str]:
        """Probability of the answer's first token, whether it is the likeliest, and which token is."""
        if (prompt, answer) not in self.known:  # many chains share a second hop
            tokens = self.lm.encode(prompt)
            probabilities = self.lm.next_word(tokens)
            wanted, said = answer_token(self.lm.tokenizer, tokens, answer), int(probabilities.argmax())
            word = self.lm.said(tokens, [said])[0].strip()
            self.known[prompt, answer] = probabilities[wanted].item(), said == wanted, word
        return self.known[prompt, answer]

    def recall(self) -> list[list[float]]:
        """Log-probability of the bridge at the description's end and at the last token, of the answer there."""
        hidden = torch.stack([h[0, [self.end[0], -1]].to(self.passage.last.device) for h in self.passage.hidden[1:]])
        logs = self.lm.readout(hidden).log_softmax(-1)
        return [logs[:, 0, self.bridge].tolist(), logs[:, 1, self.bridge].tolist(), logs[:, 1, self.answer].tolist()]

    def cut(self, keys: Sequence[int], centre: int, width: int) -> float:
        """P(answer) with the last token's attention to `keys` cut in the layers around a centre."""
        edges = Edges(queries=(len(self.tokens) - 1,), keys=tuple(keys))
        layers = window_layers(centre, width, self.lm.n_layers)
        with knocked_out(self.lm, edges, range(layers[0], layers[-1] + 1)):
            hidden = self.passage.hidden[layers[0]]
            for layer in range(layers[0], self.lm.n_layers):
                hidden = self.frame.run(layer, hidden)
        return self.lm.readout(hidden[:, -1])[0].softmax(-1)[self.answer].item()

    def back_patched(self, target: int, sources: Sequence[int]) -> np.ndarray:
        """P(answer) with the description's end given, as input of layer `target`, that of each later layer."""
        hidden = self.passage.hidden[target].repeat(len(sources), 1, 1)
        for row, source in enumerate(sources):
            hidden[row, self.end[0]] = self.passage.hidden[source][0, self.end[0]].to(hidden)
        for layer in range(target, self.lm.n_layers):
            hidden = self.frame.run(layer, hidden)
        return self.lm.readout(hidden[:, -1]).softmax(-1)[:, self.answer].cpu().numpy()
