"""How near the time told before a run comes to the time it takes: typical requests, one after another."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from analysis import ModelSpec, read_facts
from analysis.study import Report, Request, silent
from app.bench.form import Bench
from app.bench.tracing import PROMPT, SUBJECT
from app.jobs.work import Paces, Shape, pace_of
from app.registry.studies import ENTRIES
from editors.cases.case import own_cases

if TYPE_CHECKING:
    from analysis import LanguageModel

SPEC = ModelSpec()
FACT = {"prompt": "{} is located in the city of", "subject": SUBJECT, "target": "Rome"}
APART = 3.0
"""Times by which two runs differ that are to be told in the right order."""
QUICK = ("lens", "trace", "generate", "ft", "facts", "evaluate")


@dataclass(frozen=True)
class Timed:
    """What was said of a run and what it took, in seconds."""

    name: str
    said: float
    took: float

    @property
    def factor(self) -> float:
        """How far off, whichever way; 1 is right."""
        return max(self.said / self.took, self.took / self.said)


def requests() -> dict[str, tuple[str, Request]]:
    """Name, study and request of what people usually ask."""
    cases = tuple(own_cases(read_facts())[:2])
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "lens": ("lens", {"prompt": PROMPT}),
        "trace": ("trace", {"prompt": PROMPT, "subject": SUBJECT, "samples": 3}),
        "trace_all": ("trace", {"prompt": PROMPT, "subject": SUBJECT, "kinds": ("state", "mlp", "attn")}),
        "generate": ("generate", {"prompt": (PROMPT,), "tokens": 20}),
        "facts": ("facts", {"relations": ("capital",)}),
        "ft": ("edit", {"facts": (FACT,), "method": "ft"}),
        "rome": ("edit", {"facts": (FACT,)}),
        "memit": ("edit", {"facts": (FACT,), "method": "memit"}),
        "evaluate": ("evaluate", {"cases": cases[:1], "methods": ("ft",)}),
        "evaluate_two": ("evaluate", {"cases": cases, "methods": ("ft", "rome")}),
        "quiz": ("quiz", {"cases": cases[:1], "methods": ("ft",)}),
        "knockout": ("knockout", {"n": 3}),
        "conflict": ("conflict", {"find": 4, "validation": 2, "test": 4, "draws": 5}),
        "neurons": ("neurons", {"prompt": "The capital of France is"}),
        "hops": ("hops", {"limit": 5}),
    }
    return {name: (study, ENTRIES[study].study.request(**given)) for name, (study, given) in asked.items()}


def timed(lm: "LanguageModel", names: Sequence[str], report: Report = silent) -> list[Timed]:
    """Run them, each as if it were the first of its study."""
    paces, shape, found = Paces(), Shape(lm.n_layers, lm.n_heads), []
    for number, name in enumerate(names):
        report(number, len(names), name)
        study, request = requests()[name]
        paces.measured(SPEC, pace_of(lm))
        said = paces.seconds(study, ENTRIES[study].read("work")(request, shape), SPEC)
        began = time.perf_counter()
        ENTRIES[study].study.run(lm, request)
        found.append(Timed(name, said, time.perf_counter() - began))
    return found


def put(bench: Bench, found: Sequence[Timed]) -> None:
    """The figures: each factor, the largest, and pairs told in the wrong order of those that differ clearly."""
    for one in found:
        bench.add(f"estimate.factor_{one.name}", one.said / one.took, "said over taken")
    bench.add("estimate.worst_factor", max(one.factor for one in found), "times", len(found))
    pairs = [(one, other) for one, other in combinations(found, 2) if one.took * APART < other.took]
    pairs += [(other, one) for one, other in combinations(found, 2) if other.took * APART < one.took]
    wrong = sum(short.said >= long.said for short, long in pairs)
    bench.add("estimate.wrong_order", wrong, f"of {len(pairs)} pairs", len(pairs))
