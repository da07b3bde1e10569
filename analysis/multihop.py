"""Two-hop recall: each hop alone, the whole, its shortcuts, and where the middle can be read.

Filters and back-patching after Biran et al., 2406.12775; entity recall after Yang et al., 2402.16837 (here through the
model's own norm and head, bias included); knock-out after Geva et al., 2304.14767.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.attention import Edges, knocked_out
from analysis.blocks import Frame, Passage, first_hidden, record
from analysis.chains import Chain, chain, read_chains
from analysis.errors import BadRequest, WorkbenchError
from analysis.framing import framed
from analysis.hops_result import HopsRequest, HopsResult
from analysis.packed import packed
from analysis.study import Report, provenance, silent
from analysis.tokens import Tokens, answer_token, find_own, subject_range, token_range
from analysis.windows import window_layers

if TYPE_CHECKING:
    from analysis.model import LanguageModel


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
def hops(lm: "LanguageModel", request: HopsRequest, report: Report = silent) -> HopsResult:
    """Ask every chain hop by hop and whole, and read bridge and answer at every layer of the whole.

    An answer counts as right when its first token is the likeliest next one. Raises `BadRequest` for unknown chains
    and relations, or when none of the chains can be asked.
    """
    with packed(lm), torch.no_grad():
        return _asked(lm, request, report)


def _asked(lm: "LanguageModel", request: HopsRequest, report: Report) -> HopsResult:
    started = time.perf_counter()
    kept: list[Chain] = []
    known: dict[tuple[str, str], tuple[float, bool, str]] = {}
    rows: dict[str, list] = {name: [] for name in ("p", "right", "said", "whole", "recall", "cut", "patched")}
    skipped: list[str] = []
    wanted = chosen(request)
    layers = range(0, lm.n_layers, request.stride)
    for done, one in enumerate(wanted):
        report(done, len(wanted), "chains")
        try:
            run = _Run(lm, one, known)
        except WorkbenchError as error:
            skipped.append(f"{one.id}: {error}")
            continue
        kept.append(one)
        asked = [run.ask(prompt, answer) for prompt, answer in run.questions]
        rows["p"].append([p for p, _, _ in asked])
        rows["right"].append([right for _, right, _ in asked])
        rows["said"].append([said for _, _, said in asked])
        rows["whole"].append([run.ask(one.whole(i), one.answer)[1] for i in range(len(one.questions))])
        rows["recall"].append(run.recall())
        if request.knock_out:
            rows["cut"].append([run.cut(tokens, layers, request.window) for tokens in (run.subject, run.end)])
        if request.back_patch:
            rows["patched"].append(run.back_patched(layers))
    if not kept:
        raise BadRequest(f"None of the {len(wanted)} chains can be asked of {lm.name}. {skipped[0] if skipped else ''}")
    wordings = max(map(len, rows["whole"]))
    return HopsResult(
        request=request,
        model=lm.card(),
        chains=kept,
        probability=np.array(rows["p"]),
        correct=np.array(rows["right"], dtype=bool),
        said=rows["said"],
        whole_correct=np.array([[*row, *[False] * (wordings - len(row))] for row in rows["whole"]], dtype=bool),
        recall=np.array(rows["recall"]),
        cut=np.array(rows["cut"]),
        cut_layers=list(layers) if request.knock_out else [],
        patched=np.array(rows["patched"]),
        patched_layers=list(layers) if request.back_patch else [],
        skipped=skipped,
        provenance=provenance(time.perf_counter() - started),
    )


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

    def cut(self, keys: Sequence[int], centres: Sequence[int], width: int) -> list[float]:
        """P(answer) with the last token's attention to `keys` cut in the layers around each centre."""
        found = []
        edges = Edges(queries=(len(self.tokens) - 1,), keys=tuple(keys))
        for centre in centres:
            layers = window_layers(centre, width, self.lm.n_layers)
            with knocked_out(self.lm, edges, range(layers[0], layers[-1] + 1)):
                hidden = self.passage.hidden[layers[0]]
                for layer in range(layers[0], self.lm.n_layers):
                    hidden = self.frame.run(layer, hidden)
            found.append(self.lm.readout(hidden[:, -1])[0].softmax(-1)[self.answer].item())
        return found

    def back_patched(self, layers: Sequence[int]) -> list[list[float]]:
        """P(answer) with the description's end given, as input of layer t, the input of layer s; (s, t), t ≤ s."""
        grid = np.full((len(layers), len(layers)), np.nan)
        for to, target in enumerate(layers):
            sources = [i for i, source in enumerate(layers) if source >= target]
            hidden = self.passage.hidden[target].repeat(len(sources), 1, 1)
            for row, i in enumerate(sources):
                hidden[row, self.end[0]] = self.passage.hidden[layers[i]][0, self.end[0]].to(hidden)
            for layer in range(target, self.lm.n_layers):
                hidden = self.frame.run(layer, hidden)
            grid[sources, to] = self.lm.readout(hidden[:, -1]).softmax(-1)[:, self.answer].cpu()
        return grid.tolist()
