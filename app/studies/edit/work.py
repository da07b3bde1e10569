"""How much an edit is: texts put before, the text its second moments are of, and the search for what to write."""

from collections.abc import Sequence

from analysis.text.framing import Prompted
from app.jobs.work import Shape, put
from editors.edit.request import EditRequest, Rewrite
from editors.methods.protection.protected_prompts import NEIGHBOURS, OTHERS
from editors.registry.methods import method_of
from editors.registry.versions import extras_in, method_in

MEASURED = 4_000
"""Tokens of the text that second moments are measured on, as a rule: one that was measured before costs nothing."""
OF_A_RELATION = 20
"""Subjects that are protected, of a fact's own type."""
KEPT = len(OTHERS) + 2 * NEIGHBOURS
"""Prompts whose answers stay, of a fact, where none are named."""
PROBES = 12
"""Prompts that are asked before and after, of a fact."""


def edit_work(request: EditRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    if request.silences:
        return shape.forward(20, PROBES)
    steps = (request.steps or 25) + (request.sadr_steps if request.sadr else 0)
    return written(
        request, request.facts, request.method, shape, steps=steps, contexts=request.contexts,
        length=request.context_tokens, measured=request.tokens, layers=request.layers, protected=_protected(request),
        kept=_kept(request),
    )  # fmt: skip


def written(
    put_by: Prompted, facts: Sequence[Rewrite], method: str, shape: Shape, *, steps: int = 25, contexts: int = 5,
    length: int = 10, measured: int | None = None, layers: Sequence[int] | None = None, protected: int = 0,
    kept: int = 0,
) -> float:  # fmt: skip
    """Facts written in one edit, and asked before and after.

    `protected`: subjects whose keys are read; `kept`: prompts of the search whose answers stay, of usual length.
    """
    name, extras = method_in(method), extras_in(method)
    steps += 25 if "sadr" in extras else 0
    kept = kept or (KEPT * len(facts) if "values" in extras else 0)
    protected = protected or (OF_A_RELATION * len(facts) if "protect" in extras else 0)
    tokens = sum(put(put_by, fact.text) + put(None, fact.target) for fact in facts)
    own = method_of(name)
    if "source" not in own.uses:  # no second moments, no texts before
        return shape.searched(tokens, steps, 6) + _asked(facts, tokens, shape)
    rows = contexts + 2 + kept // len(facts)
    before = shape.written(2, length, contexts) if contexts else 0.0
    search = own.searches * shape.searched(tokens / len(facts) + length, steps, rows * len(facts))
    deepest = max(layers) if layers else shape.layers // 3
    text = (measured or MEASURED) * (deepest + 1) if not own.one_layer or measured else 0.0
    keys = protected * (contexts + 1) * (tokens / len(facts) + length) * (deepest + 1)
    return before + search + text + keys + _asked(facts, tokens, shape)


def _protected(request: EditRequest) -> int:
    """Subjects whose keys an edit reads."""
    if request.protect_weight == 0:
        return 0
    return len(request.protected) + (OF_A_RELATION * len(request.facts) if request.protect_keys != "none" else 0)


def _kept(request: EditRequest) -> int:
    """Prompts whose answers the new values leave as they are; one behind the new fact is as long as two."""
    others = len(OTHERS if request.others is None else request.others) if request.others_weight else 0
    near = len(request.neighbours) if request.neighbours is not None else NEIGHBOURS * len(request.facts)
    return others * len(request.facts) + near * (2 * bool(request.behind_weight) + bool(request.near_weight))


def _asked(facts: Sequence[Rewrite], tokens: float, shape: Shape) -> float:
    return 2 * shape.forward(tokens / len(facts) + 4, PROBES * len(facts))
