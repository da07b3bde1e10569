"""The plain way to search for a new value: the whole model, every row in one padded batch, every step.

What `editors.methods.search.target_search` must agree with, written to be read: torch's own Adam, full forwards, full
logits, as the published code does it. One fact at a time.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.forward.architecture import put_out
from analysis.internals.attention_patterns import at_patterns
from analysis.internals.key_value_memory import output_matrix
from editors.edit.request import EditRequest
from editors.methods.search.sadr import default_epsilon, searched
from editors.methods.search.target_search import STILL, Site
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def plain_search(
    lm: "LanguageModel", rows: Sequence[Row], layer: int, sites: tuple[Site, ...], request: EditRequest
) -> dict[Site, Tensor]:
    """The change (d,) at each site for the only fact of `rows`; `request` settled."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[row.ids[-1]] * (longest - len(row.ids))] for row in rows], device=lm.device)
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows], device=lm.device)
    changes = {site: torch.zeros(lm.d_model, device=lm.device, requires_grad=True) for site in sites}
    base = plain_base(lm, rows, layer, sites)
    said: dict[int, Tensor] = {}
    norms: dict[int, Tensor] = {}
    teachers = {index: _taught(lm, row) for index, row in enumerate(rows) if row.told}
    asked = sum(bool(row.targets) for row in rows)
    optimiser = torch.optim.Adam(list(changes.values()), lr=request.rate or 0.5)
    steps = searched(request)
    vanilla: list[Tensor] = []
    weight, lighter, said_for = 1.0, request.said_weight or 1.0, 0
    for step in range(steps):
        attention: list[Tensor] = []
        reading = at_patterns(lm, lambda _, pattern: attention.append(pattern)) if request.sadr else nullcontext()  # noqa: B023
        with _added(lm, rows, layer, changes), reading, _behind(lm, request.lti_layer) as middle:
            logs = lm.model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float().log_softmax(-1)
        loss, drift, everywhere = torch.zeros((), device=lm.device), torch.zeros((), device=lm.device), True
        likely = 0.0
        for index, row in enumerate(rows):
            for place, token in enumerate(row.targets):
                at = logs[index, row.first + place]
                loss = loss - request.answer_weight * weight * at[token] / len(row.targets) / asked
                likely += at[token].item() / len(row.targets) / asked
                everywhere = everywhere and int(at.argmax()) == token
            if row.anchor:
                now = logs[index, row.start]
                before = said.setdefault(index, now.detach())
                drift = (now.exp() * (now - before)).sum()
                loss = loss + request.kl * drift
        for index, row in enumerate(rows):
            if row.told:
                subject, output = teachers[index]
                now = logs[index, row.first : row.first + len(row.targets)]
                loss = loss + request.lti_output * (now.exp() * (now - output)).sum(-1).mean() / asked
                if subject is not None:
                    now = lm.readout(middle[0][index, row.start]).log_softmax(-1)
                    loss = loss + request.lti_subject * (now.exp() * (now - subject)).sum() / asked
            if row.kept:
                now = logs[index, list(row.kept)]
                wanted = norms.setdefault(index, _wanted(lm, row, now.detach()))
                each = (wanted.exp() * (wanted.clamp_min(-1e4) - now)).sum(-1)
                loss = loss + row.weight * each.mean()
        for site, change in changes.items():
            loss = loss + request.decay * change.norm() / base[site].norm() ** 2
        if request.sadr:
            vanilla = vanilla or [pattern.detach() for pattern in attention]
            loss = loss + request.sadr * _drift(rows, vanilla, attention, request) / asked
        if loss.item() < request.enough or step == steps - 1:
            break
        if lighter < 1 and everywhere and drift.item() <= STILL:
            break
        said_for = said_for + 1 if everywhere else 0
        if request.stop_after is not None and said_for > request.stop_after:
            break
        if request.stop_at is not None and math.exp(likely) >= request.stop_at:
            break
        weight = lighter if everywhere else 1.0
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for site, change in changes.items():
                bound = (request.clamp or 4.0) * base[site].norm()
                change.mul_((bound / change.norm().clamp_min(1e-12)).clamp_max(1.0))
    return {site: change.detach() for site, change in changes.items()}


@torch.no_grad()
def _taught(lm: "LanguageModel", row: Row) -> tuple[Tensor | None, Tensor]:
    """What a row's teacher says: read at the subject in the middle (V,), and of the answer's tokens (tokens, V)."""
    told = row.told
    assert told is not None
    with _behind(lm, told.layer) as middle:
        logs = lm.model(input_ids=torch.tensor([told.ids], device=lm.device), use_cache=False).logits[0].float()
    subject = lm.readout(middle[0][0, told.start]).log_softmax(-1) if middle else None
    return subject, logs.log_softmax(-1)[told.first : told.first + len(row.targets)]


@contextmanager
def _behind(lm: "LanguageModel", layer: int | None) -> Iterator[list[Tensor]]:
    """The output of a block in each forward, (rows, tokens, d_model); nothing where there is no layer."""
    found: list[Tensor] = []

    def keep(_: Any, __: Any, output: Any) -> None:
        found[:] = [output[0] if isinstance(output, tuple) else output]

    handle = None if layer is None else lm.blocks[layer].register_forward_hook(keep)
    try:
        yield found
    finally:
        if handle is not None:
            handle.remove()


@torch.no_grad()
def _wanted(lm: "LanguageModel", row: Row, now: Tensor) -> Tensor:
    """Log-probabilities (kept, V) a protected row shall have: those it has, those of another text, or certainty."""
    if row.answer:
        return torch.nn.functional.one_hot(torch.tensor(row.answer), now.shape[-1]).float().log().to(now)
    if row.alone:
        return lm.logits(torch.tensor([row.alone]))[0, -len(row.kept) :].log_softmax(-1)
    return now


def _drift(rows: Sequence[Row], before: list[Tensor], now: list[Tensor], request: EditRequest) -> Tensor:
    """SADR's sum over prompts, layers and heads, term by term."""
    total = torch.zeros((), device=now[0].device)
    epsilon = request.sadr_epsilon or default_epsilon(now[0].dtype)
    for index, row in enumerate(rows):
        if not row.targets:
            continue
        for old, new in zip(before, now, strict=True):
            p, q = old[index, :, row.first].float() + epsilon, new[index, :, row.first].float() + epsilon
            for head in range(len(q)):
                if not request.sadr_selective or q[head, row.start] > p[:, row.start].max():
                    total = total + (p[head] * (p[head] / q[head]).log()).sum()
    return total


def plain_base(lm: "LanguageModel", rows: Sequence[Row], layer: int, sites: tuple[Site, ...]) -> dict[Site, Tensor]:
    """What stands at each site (d,) at the bare prompt's subject in a run of the model as it is."""
    row = next(row for row in rows if row.bare)
    base: dict[Site, Tensor] = {}

    def hook(site: Site) -> Any:
        def call(_: Any, __: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            base[site] = tensor.reshape(len(row.ids), -1)[row.start].float()

        return call

    handles = [_module(lm, layer, site).register_forward_hook(hook(site)) for site in sites]
    try:
        with torch.no_grad():
            lm.model(input_ids=torch.tensor([row.ids], device=lm.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return base


def _module(lm: "LanguageModel", layer: int, site: Site) -> Any:
    block = lm.blocks[layer]
    return {"value": output_matrix(lm, layer).module, "hidden": block, "attn": put_out(block, "attn")}[site]


@contextmanager
def _added(lm: "LanguageModel", rows: Sequence[Row], layer: int, changes: dict[Site, Tensor]) -> Iterator[None]:
    """Add the changes at every row's subject."""
    places = torch.tensor([row.start for row in rows], device=lm.device)
    every = torch.arange(len(rows), device=lm.device)

    def hook(site: Site) -> Any:
        def call(_: Any, __: Any, output: Any) -> Any:
            tensor = output[0] if isinstance(output, tuple) else output
            batch = tensor.reshape(len(rows), -1, tensor.shape[-1]).clone()
            batch[every, places] = batch[every, places] + changes[site].to(batch)
            new = batch.reshape(tensor.shape)
            return (new, *output[1:]) if isinstance(output, tuple) else new

        return call

    handles = [_module(lm, layer, site).register_forward_hook(hook(site)) for site in changes]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
