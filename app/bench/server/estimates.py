"""How near the time told before a run comes to the time it takes, and how long a run goes without looking whether it
was cancelled: typical requests, one after another.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from analysis import ModelSpec, read_facts
from analysis.facts.chains import read_chains
from analysis.study import Report, Request, silent
from app.bench.form import Bench
from app.bench.tracing import PROMPT, SUBJECT
from app.jobs.work import Paces, Shape, pace_of
from app.registry.studies import ENTRIES
from editors.cases.case import own_cases
from editors.cases.chain_files import case_of_chain

if TYPE_CHECKING:
    from analysis import LanguageModel
    from editors.edit.edit import Edit

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
    longest: float = 0.0
    """From one look at its report to the next, at most, in seconds of the clock: so long Cancel may wait."""
    computed: float = 0.0
    """The same in seconds of the processor, which others on the machine do not lengthen."""

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
    asked |= {
        "lifelong": ("lifelong", {"cases": cases, "method": "ft"}),
        "alphaedit": ("edit", {"facts": (FACT,), "method": "alphaedit"}),
        "average": ("average", {"facts": 2}),
        "layers": ("layers", {"facts": (FACT,), "layers": (4, 12)}),
        "neurons_second": ("neurons", {"prompt": "The capital of France is", "second_opinion": True}),
        "reach": ("reach", {"cases": (case_of_chain(read_chains()[0], "second"),), "methods": ("ft",)}),
        "drift": ("drift", {"prompt": PROMPT, "subject": SUBJECT}),
        "patch": ("patch", {"prompt": PROMPT, "subject": SUBJECT, "heads": ("12.1", "15.4")}),
        "drifts": ("drifts", {}),
        "moved": ("moved", {}),
    }
    return {name: (study, ENTRIES[study].study.request(**given)) for name, (study, given) in asked.items()}


class Looks:
    """A report that keeps the longest time between two of its calls."""

    def __init__(self) -> None:
        self.longest = self.computed = 0.0
        self._last = time.perf_counter(), time.process_time()

    def __call__(self, *_: Any, **__: Any) -> None:
        """Somebody looks."""
        now = time.perf_counter(), time.process_time()
        self.longest = max(self.longest, now[0] - self._last[0])
        self.computed = max(self.computed, now[1] - self._last[1])
        self._last = now


def timed(lm: "LanguageModel", names: Sequence[str], report: Report = silent) -> list[Timed]:
    """Run them, each as if it were the first of its study; those that look at edits, with one that is on."""
    paces, shape, found = Paces(), Shape(lm.n_layers, lm.n_heads), []
    edits: list[Edit] = []
    for number, name in enumerate(names):
        report(number, len(names), name)
        name_of_study, request = requests()[name]
        study, options = ENTRIES[name_of_study].study, {}
        if ENTRIES[name_of_study].needs_edits and not edits:
            edits = [ENTRIES["edit"].study.run(lm, requests()["rome"][1])]
        if study.on_edits:
            options["stack"] = edits if ENTRIES[name_of_study].needs_edits else ()
        paces.measured(SPEC, pace_of(lm))
        said = paces.seconds(name_of_study, ENTRIES[name_of_study].read("work")(request, shape), SPEC)
        looks, began = Looks(), time.perf_counter()
        study.run(lm, request, looks, **options)
        took = time.perf_counter() - began
        looks()
        found.append(Timed(name, said, took, looks.longest, looks.computed))
    return found


def put(bench: Bench, found: Sequence[Timed]) -> None:
    """The figures: each factor, the largest, and pairs told in the wrong order of those that differ clearly."""
    for one in found:
        bench.add(f"estimate.factor_{one.name}", one.said / one.took, "said over taken")
    bench.add("estimate.worst_factor", max(one.factor for one in found), "times", len(found))
    for one in found:
        bench.add(f"looks.longest_{one.name}", one.longest, "s")
    bench.add("looks.worst", max(one.longest for one in found), "s", len(found))
    bench.add("looks.worst_computed", max(one.computed for one in found), "s of the processor", len(found))
    bench.tables["looks"] = [
        {"run": one.name, "seconds": one.took, "longest": one.longest, "computed": one.computed} for one in found
    ]
    pairs = [(one, other) for one, other in combinations(found, 2) if one.took * APART < other.took]
    pairs += [(other, one) for one, other in combinations(found, 2) if other.took * APART < one.took]
    wrong = sum(short.said >= long.said for short, long in pairs)
    bench.add("estimate.wrong_order", wrong, f"of {len(pairs)} pairs", len(pairs))
