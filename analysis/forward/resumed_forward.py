"""Resumed forwards: only what an intervention can change is computed, exactly.

A cell repaired at (layer, token t) changes nothing before t and nothing below the layer. So for
one token all cells travel together: the run starts from the corrupted run's stored states, goes
up the blocks on the tokens t and later only, and at each layer the cells that begin there join
the batch, attending to the corrupted prefix through its stored keys and values.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from analysis.forward.blocks import Frame, Passage, PrefixCache, Site, at_sites


@dataclass(frozen=True)
class Cell:
    """One intervention at one token: where its run begins and what it overwrites on the way up.

    `hidden` (S, T-t, d_model) is the input of block `join` at the tokens t and later.
    `overwrite[(site, layer)]` (S or 1, d_model) takes the place of that sub-block's output at t.
    """

    layer: int
    join: int
    hidden: Tensor
    overwrite: dict[tuple[Site, int], Tensor] = field(default_factory=dict)


def groups(cells: Iterable[Cell], budget: int) -> Iterator[list[Cell]]:
    """Cells in order of their beginning, cut so that a group holds at most `budget` rows × tokens."""
    group: list[Cell] = []
    for cell in sorted(cells, key=lambda cell: cell.join):
        rows = cell.hidden.shape[0] * cell.hidden.shape[1]
        if group and (len(group) + 1) * rows > budget:
            yield group
            group = []
        group.append(cell)
    if group:
        yield group


@torch.inference_mode()
def resume(
    frame: Frame, base: Passage, token: int, cells: list[Cell], step: Callable[[int], None] = lambda rows: None
) -> Tensor:
    """Last block's output at the last token, (cells, S, d_model), of every cell's run.

    `base` is the run the cells depart from; tokens before `token` are read from it. `cells` are in
    order of `join`. `step(rows)` is called before every block with the number of rows × tokens it
    will compute; it may raise to end the run.
    """
    lm, samples = frame.lm, base.hidden[0].shape[0]
    sites = tuple(sorted({site for cell in cells for site, _ in cell.overwrite}))
    running: list[Cell] = []

    def overwrite(site: Site, layer: int, output: Tensor) -> Tensor | None:
        chosen = [index for index, cell in enumerate(running) if (site, layer) in cell.overwrite]
        if not chosen:
            return None
        output = output.clone().unflatten(0, (len(running), samples))
        for index in chosen:
            output[index, :, 0] = running[index].overwrite[site, layer].to(output)
        return output.flatten(0, 1)

    batch: Tensor | None = None
    waiting = list(cells)
    with at_sites(lm, sites, overwrite):
        for layer in range(cells[0].join, lm.n_layers + 1):
            while waiting and waiting[0].join == layer:
                cell = waiting.pop(0)
                running.append(cell)
                batch = cell.hidden if batch is None else torch.cat((batch, cell.hidden.to(batch.device)))
            if layer < lm.n_layers and batch is not None:
                step(batch.shape[0] * batch.shape[1])
                batch = frame.run(layer, batch, start=token, cache=PrefixCache(base.prefix_before(layer, token)))
    assert batch is not None
    return batch[:, -1].unflatten(0, (len(cells), samples))
