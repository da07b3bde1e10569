"""What a matrix reads and what its output should do, at every token an answer is predicted from.

One forward and one way back for rows of one length together: no search, no subject, no second moments.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.forward.blocks import Frame, first_hidden, record
from analysis.internals.key_value_memory import output_matrix
from analysis.study import Report, silent
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS_AT_ONCE = 8
"""Rows of one length that are run together: their logits are what takes room."""


@dataclass(frozen=True)
class Signals:
    """T tokens that answers are predicted from, of n facts; keys and gradients of each layer that was asked for."""

    keys: dict[int, Tensor]  # (T, d_k) input of the output matrix
    gradients: dict[int, Tensor]  # (T, d) of the answers' negative log-likelihood by its output
    facts: Tensor  # (T,) fact of each
    likelihood: Tensor  # (T,) log-probability of each token of an answer
    said: Tensor  # (n,) token that is said where each answer begins, or was to be looked at
    former: Tensor  # (n,) its probability


def signals(
    lm: "LanguageModel", rows: Sequence[Row], layers: Sequence[int], report: Report = silent,
    said: Tensor | None = None,
) -> Signals:  # fmt: skip
    """Read them for bare prompts with their answers, one of each fact; the gradient is of the sum over all tokens.

    `said` (n,): tokens whose probability to read where answers begin, in place of those that are said there now.

    The published code takes the mean over the tokens of a batch. It is normalised afterwards, so that only their
    proportions count.
    """
    parts: list[Signals] = []
    done = 0
    for chunk in _chunks(rows):
        report(done, len(rows))
        parts.append(_read(lm, chunk, layers, said))
        done += len(chunk)
    facts = torch.cat([part.facts for part in parts])
    back, order = torch.argsort(facts, stable=True), torch.argsort(facts.unique_consecutive())

    def joined(values: Callable[[Signals], Tensor], order: Tensor) -> Tensor:
        return torch.cat([values(part) for part in parts])[order]

    return Signals(
        {layer: joined(lambda part: part.keys[layer], back) for layer in layers},  # noqa: B023
        {layer: joined(lambda part: part.gradients[layer], back) for layer in layers},  # noqa: B023
        facts[back],
        joined(lambda part: part.likelihood, back),
        joined(lambda part: part.said, order),
        joined(lambda part: part.former, order),
    )


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of one length, as many as are run together."""
    for length in sorted({len(row.ids) for row in rows}):
        same = [row for row in rows if len(row.ids) == length]
        yield from (same[begin : begin + ROWS_AT_ONCE] for begin in range(0, len(same), ROWS_AT_ONCE))


def _read(lm: "LanguageModel", rows: Sequence[Row], layers: Sequence[int], said: Tensor | None) -> Signals:
    """Of rows of one length, in their order."""
    ids = torch.tensor([row.ids for row in rows], device=lm.device)
    frame, lowest = Frame.of(lm, ids), min(layers)
    with torch.no_grad():
        hidden = record(frame, first_hidden(lm, ids)).hidden[lowest].clone()
    places = [(number, row.first + place) for number, row in enumerate(rows) for place in range(len(row.targets))]
    which, where = torch.tensor(places).unbind(1)
    wanted = torch.tensor([token for row in rows for token in row.targets])
    with _watched(lm, layers) as seen:
        for layer in range(lowest, lm.n_layers):
            hidden = frame.run(layer, hidden)
        logs = lm.readout(hidden[which.to(hidden.device), where.to(hidden.device)]).log_softmax(-1)
        likely = logs.gather(1, wanted.to(logs.device)[:, None])[:, 0]
        found = torch.autograd.grad(-likely.sum(), [seen[layer][1] for layer in layers])
    begins = torch.tensor([0, *(len(row.targets) for row in rows[:-1])]).cumsum(0)
    first = logs.detach()[begins.to(logs.device)]
    here = first.argmax(-1) if said is None else said[[row.fact for row in rows]].to(first.device)

    def picked(values: Tensor) -> Tensor:
        flat = values.detach().reshape(len(rows), -1, values.shape[-1])
        return flat[which.to(flat.device), where.to(flat.device)].float().cpu()

    return Signals(
        {layer: picked(seen[layer][0]) for layer in layers},
        {layer: picked(gradient) for layer, gradient in zip(layers, found, strict=True)},
        torch.tensor([row.fact for row in rows for _ in row.targets]),
        likely.detach().float().cpu(),
        here.cpu(),
        first.gather(1, here[:, None])[:, 0].exp().float().cpu(),
    )


@contextmanager
def _watched(lm: "LanguageModel", layers: Sequence[int]) -> Iterator[dict[int, tuple[Tensor, Tensor]]]:
    """Input and output of each output matrix, the outputs asking for gradients."""
    seen: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(layer: int) -> Any:
        def call(_: Any, args: tuple, output: Tensor) -> Tensor:
            output = output if output.requires_grad else output.detach().requires_grad_(True)
            seen[layer] = args[0], output
            return output

        return call

    handles = [output_matrix(lm, layer).module.register_forward_hook(keep(layer)) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
