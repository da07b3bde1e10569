"""How good is an edit, by which protocol? What an evaluation asks and what it answers: plain data, no model.

Protocols have names and are never mixed: comparing likelihoods, forcing the answer token by token, and letting the
model go on freely give very different numbers for one edit (2502.11177).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from editors.edit.probes import WANT_NEW, Kind
from editors.evaluation.comparison import Comparison

Protocol = Literal[
    "likelihood",
    "likelihood_summed",
    "magnitude",
    "strict",
    "token_fraction",
    "starts",
    "contains",
    "agreement",
    "kl",
    "dp",
    "cap",
    "eos",
]
PROTOCOLS: dict[Protocol, str] = {
    "likelihood": "the wanted answer is likelier than the other, each the geometric mean over its tokens (CounterFact)",
    "likelihood_summed": "the same with probabilities of whole answers, which favours short ones",
    "magnitude": "probability of the wanted answer less the other's, geometric means",
    "strict": "every token of the wanted answer is the likeliest, the answer forced (MEMIT's code)",
    "token_fraction": "share of the wanted answer's tokens that are the likeliest, the answer forced (zsRE, EasyEdit)",
    "starts": "the model goes on freely, and begins with the wanted answer",
    "contains": "the model goes on freely, and the wanted answer occurs",
    "agreement": "the likeliest next token is the one before the edit",
    "kl": "KL divergence of the next token from that before the edit, nats",
    "dp": "probability of the edit's answer, geometric mean: what an overfit edit says to everything (EVOKE)",
    "cap": "probability of the wanted answer, geometric mean (EVOKE)",
    "eos": "the wanted answer is likelier than the edit's, where the edit's is wrong (EVOKE)",
}
"""Every number carries one of these; in percent all but the means of magnitude and kl. EVOKE's AMS is likelihood."""
FLUENCY = "entropy of the word pairs and triples of texts the model writes, bits × 100 (CounterFact's GE)"
CONSISTENCY = "cosine of these texts with our facts' sentences about others of the new answer, TF-IDF × 100 (after RS)"
IN_PERCENT: tuple[Protocol, ...] = tuple(protocol for protocol in PROTOCOLS if protocol not in ("magnitude", "kl"))
FREE: tuple[Protocol, ...] = ("starts", "contains")
KEPT: tuple[Protocol, ...] = ("agreement", "kl")
Mode = Literal["single", "batch"]
SHORT = {"rewrite": "ES", "paraphrase": "PS", "neighbour": "NS", "other": "RS", "distracting": "DNS"}
"""The field's names for the likelihood protocol."""


class EvaluateRequest(Comparison):
    """Write the same cases with several methods, and score them by every protocol."""

    units: ClassVar[dict[str, str]] = {"words": "tokens"}
    mode: Mode = Field("single", description="single: each case by itself; batch: all cases in one edit")
    free: bool = Field(True, description="also let the model go on freely from prompts that want the new answer")
    words: int = Field(16, ge=1, le=64, description="tokens it may take for that")
    fluency: bool = Field(
        False, description="also let it write texts about the subjects, for their fluency and consistency"
    )

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return (*super().needs(), *(("generation",) if self.free or self.fluency else ()))


@dataclass(frozen=True)
class Mean:
    """Over cases, the prompts of each averaged first."""

    value: float
    half_width: float  # 95 %, normal; NaN of one case
    n: int

    @property
    def bar(self) -> float:
        """What a figure can draw of the half width: none of one case."""
        return 0.0 if np.isnan(self.half_width) else self.half_width


@dataclass(frozen=True)
class EvaluateResult:
    """V versions (no edit, then each method) × protocols × all P prompts; NaN where a protocol says nothing."""

    units: ClassVar[dict[str, str]] = {
        "case": "case number", "values": "by protocol", "fluency": "bits", "consistency": "cosine",
        "seconds": "seconds",
    }  # fmt: skip
    request: EvaluateRequest
    model: dict[str, Any]
    versions: list[str]
    case: np.ndarray  # (P,) number of each prompt's case
    kinds: list[str]  # (P,)
    prompts: list[str]
    values: np.ndarray  # (V, protocols, P)
    texts: list[list[str]]  # V of P, what was said freely; empty where it was not asked
    fluency: np.ndarray  # (V, cases) of texts about the subject; NaN where there are none
    consistency: np.ndarray  # (V, cases) of these texts with what is said of others; NaN where nothing is
    seconds: np.ndarray  # (V, cases) of writing; NaN where refused
    faults: list[str]  # method, case and why it was refused
    left_out: list[str]  # prompts this tokenizer cannot read
    provenance: dict[str, Any] = field(default_factory=dict)

    def by_case(self, version: int, protocol: Protocol, kind: Kind) -> np.ndarray:
        """Mean over each case's prompts of a kind, (cases,); NaN where there are none."""
        row = self.values[version, list(PROTOCOLS).index(protocol)]
        own = np.array([one == kind for one in self.kinds]) & ~np.isnan(row)
        cases = len(self.request.cases)
        total, count = np.zeros(cases), np.zeros(cases)
        np.add.at(total, self.case[own], row[own])
        np.add.at(count, self.case[own], 1)
        with np.errstate(invalid="ignore"):
            return total / count

    def mean(self, version: int, protocol: Protocol, kind: Kind) -> Mean | None:
        """None where no case has such a prompt."""
        return mean_of(self.by_case(version, protocol, kind))

    def paired(self, version: int, other: int, protocol: Protocol, kind: Kind) -> Mean | None:
        """One version less another over the cases both have."""
        return mean_of(self.by_case(version, protocol, kind) - self.by_case(other, protocol, kind))

    def score(self, version: int) -> float | None:
        """S, the harmonic mean of ES, PS and NS; 0 where one of them is 0, None where one is missing."""
        parts = [self.mean(version, "likelihood", kind) for kind in ("rewrite", "paraphrase", "neighbour")]  # type: ignore[arg-type]
        if any(part is None for part in parts):
            return None
        shares = [part.value for part in parts if part is not None]
        return 3 / sum(1 / share for share in shares) if min(shares) > 0 else 0.0

    def there(self) -> list[Kind]:
        """Kinds of prompts the cases have, in order."""
        return [kind for kind in get_args(Kind) if kind in set(self.kinds)]

    def worst(self, version: int, count: int = 10) -> list[int]:
        """Cases by how many of their prompts are not as wished, most first (strict protocol)."""
        shares = [self.by_case(version, "strict", kind) for kind in self.there()]
        whole = np.ma.masked_invalid(np.stack(shares)).mean(axis=0)
        order = np.argsort(whole.filled(np.inf), kind="stable")
        return [int(case) for case in order if whole[case] is not np.ma.masked][:count]


def mean_of(values: np.ndarray) -> Mean | None:
    """Mean of the numbers there are, with its interval."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    spread = 1.96 * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else float("nan")
    return Mean(float(known.mean()), float(spread), len(known))


def wants_new(kind: str) -> bool:
    """Whether prompts of a kind should be answered with the new answer."""
    return kind in WANT_NEW
