"""The length a new value may have: that of values searched on the model without any edit (NAS).

Edit after edit the search begins from a value that earlier edits have made longer, and ends with a longer one. NAS
(2602.02543 and its code) keeps the direction found and gives it the mean length of values that a few stored facts come
to on the model without edits; a value of more than twice that length is not written at all.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.cache_home import cache_home
from analysis.internals.key_value_memory import output_matrix
from analysis.study import Report
from analysis.whole_files import replacing
from editors.edit.request import EditRequest
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.lti import with_teacher
from editors.methods.search.stored_rewrites import stored_rewrites
from editors.methods.search.target_search import Site, Targets, search
from editors.methods.search.token_rows import Row
from editors.registry.entry import LTI

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

FACTS = 30
"""Stored facts that are searched; the code takes 1,000 of a data set."""
DROPPED = 0.05
"""Share of them, the longest, that is left out (the code)."""
TOO_LONG = 2.0
"""Anchors from which a value is not written (the code)."""
OF_SEARCH = ("contexts", "context_tokens", "steps", "rate", "clamp", "kl", "decay", "said_weight", "enough", "seed",
             "stop_after", "stop_at", *LTI, "sadr", "sadr_selective", "sadr_steps", "sadr_epsilon")  # fmt: skip
"""Fields the lengths depend on."""


def anchor_length(
    lm: "LanguageModel", request: EditRequest, layer: int, sites: tuple[Site, ...], before: Sequence[str],
    report: Report,
) -> float:  # fmt: skip
    """Mean length of what an MLP writes for stored facts once their new answers are found; no edit may be on.

    `request` settled; `before`: the texts put before a prompt. Found once for each model, layer and way of searching.
    """
    settings = {name: getattr(request, name) for name in OF_SEARCH}
    said = json.dumps([settings, layer, sites, FACTS, repr(lm.framing_key), list(before)], sort_keys=True)
    name = hashlib.sha256(said.encode()).hexdigest()[:24]
    known = ("anchor", name)
    place = cache_home() / "anchors" / lm.own_hash[:24] / f"{name}.json"
    if known not in lm.memo:
        found = _stored(place)
        if found is None:
            found = _measured(lm, request, layer, sites, before, report)
            with suppress(OSError), replacing(place) as new:
                new.write_text(json.dumps({"length": found, "facts": FACTS, "layer": layer}))
        lm.memo[known] = found
    return float(lm.memo[known])


def _stored(place: Path) -> float | None:
    try:
        found = json.loads(place.read_text())["length"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(found) if isinstance(found, float) and 0 < found < float("inf") else None


def _measured(
    lm: "LanguageModel", request: EditRequest, layer: int, sites: tuple[Site, ...], before: Sequence[str],
    report: Report,
) -> float:  # fmt: skip
    facts, rows = stored_rewrites(lm, FACTS, before)
    asked = request.model_copy(update={"facts": tuple(facts), "others_weight": 0.0})
    found = search(lm, with_teacher(lm, asked, rows, before), layer, sites, asked, report)
    lengths = np.sort((_old(lm, found, sites, rows, layer) + found.change[sites[-1]]).norm(dim=1).numpy())
    return float(lengths[: len(lengths) - int(DROPPED * len(lengths))].mean())


def _old(lm: "LanguageModel", found: Targets, sites: tuple[Site, ...], rows: Sequence[Row], layer: int) -> Tensor:
    """What the MLP writes at the subject of the bare prompts now, (n, d), in units of where the change is added."""
    if sites != ("hidden",):
        return found.base["value"]
    keys = keys_at_end(lm, [row.to_subject for row in rows if row.bare], layer)
    return lm.factors["mlp"] * output_matrix(lm, layer).value(keys.float()).detach().cpu().float()


def anchored(
    lm: "LanguageModel", found: Targets, sites: tuple[Site, ...], rows: Sequence[Row], layer: int, length: float
) -> tuple[Targets, list[int]]:
    """Targets whose MLP's part has that length, and the facts that are left as they are for being too long.

    v* = v₀ + δ becomes `length` · v* / ‖v*‖, v₀ what the MLP writes now.
    """
    old, site = _old(lm, found, sites, rows, layer), sites[-1]
    wanted = old + found.change[site]
    size = wanted.norm(dim=1, keepdim=True)
    left_out = size[:, 0] > TOO_LONG * length
    change = torch.where(left_out[:, None], 0.0, wanted * (length / size.clamp_min(1e-12)) - old)
    return replace(found, change=found.change | {site: change}), left_out.nonzero()[:, 0].tolist()
