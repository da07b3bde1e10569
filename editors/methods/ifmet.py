"""IFMET (2410.06331): a fact, and then a question that reaches it over a hop before, so that both are answered anew."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.errors import BadRequest
from analysis.facts.chains import read_chains
from analysis.facts.facts import read_facts
from analysis.study import Report
from editors.edit.edit import Found
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.closed_road import Written
from editors.methods.layer_rules import deep_layers, few_layers
from editors.methods.past_keys import PastKeys
from editors.methods.roads import MEMIT, PMET
from editors.methods.search.token_rows import contexts

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def with_questions(lm: "LanguageModel", request: EditRequest, look: Callable[[], None] = lambda: None) -> EditRequest:
    """The request with its aim, a two-hop question for each fact, and the layers of both stages."""
    facts = tuple(fact.model_copy(update={"two_hop": fact.two_hop or stored_question(fact)}) for fact in request.facts)
    layers = request.layers or deep_layers(lm)
    own = tuple(layer for layer in few_layers(lm) if layer < layers[0])
    shallow = own if request.shallow is None else request.shallow
    return request.model_copy(update={"aim": request.where, "facts": facts, "layers": layers, "shallow": shallow})


def stored_question(fact: Rewrite) -> str:
    """A stored question that reaches the fact over a hop before it; `BadRequest` where there is none."""
    known = next(
        (own for own in read_facts() if own.subject == fact.subject and fact.prompt in (own.prompt, *own.paraphrases)),
        None,
    )
    for chain in read_chains():
        if known is not None and (chain.bridge, chain.second) == (known.subject, known.relation):
            return chain.whole()
    raise BadRequest(
        f"IFMET also writes on a question that reaches “{fact.text}” over a hop before it, and none is stored. "
        "Give one with two_hop, such as “The capital of the country where the Colosseum is located is”, or take ACE."
    )


def two_stages(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """IFMET, as `Method.write`."""
    contexts(lm, request)  # by the model without edits, which the second stage no longer sees
    return partial(_stages, lm, request, report)


def _stages(lm: "LanguageModel", request: EditRequest, report: Report) -> Written:
    """The facts at shallow layers, then a two-hop question of each at deep ones, at its last token.

    The question stands as prompt and subject, so that its last token is the subject's. What is said there is what
    shall change, so the second stage has no weight on keeping it (kl = 0). A stage without layers is left out.
    """
    road = MEMIT if request.aim == "block" else PMET
    asked = tuple(Rewrite(prompt="{}", subject=fact.two_hop or "", target=fact.target) for fact in request.facts)
    first = request.model_copy(update={"layers": request.shallow})
    second = request.model_copy(
        update={"facts": asked, "kl": 0.0, "others_weight": 0.0, "behind_weight": 0.0, "near_weight": 0.0}
    )
    made: list[Written] = []
    with Overlay(lm) as overlay:
        for stage in (first, second):
            if stage.layers:
                made.append(road(lm, stage, report)())
                for change in made[-1][0]:
                    overlay.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
    parts = [found for _, found, _ in made]
    found = Found(
        loss=np.concatenate([part.loss for part in parts]),
        probability=np.concatenate([part.probability for part in parts]),
        former=np.concatenate([part.former for part in parts]),
        key_ratio=parts[-1].key_ratio,
        written=parts[-1].written,
        condition=parts[0].condition,
        statistics=[one for part in parts for one in part.statistics],
    )
    return [one for changes, _, _ in made for one in changes], found, [text for *_, texts in made for text in texts]
