"""What the attribution to neurons asks and what it answers: plain data and arrays, no model."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from analysis.internals.correlation import rank_correlation
from analysis.study import StoredAs
from analysis.text.framing import OnePrompt

Mode = Literal["exact", "screened"]
Form = Literal["share", "dot"]
Role = Literal["value", "query"]
WORDS = 5


class NeuronsRequest(OnePrompt):
    """Which neurons raise the answer, and which neurons below switch those on?"""

    units: ClassVar[dict[str, str]] = {"top": "neurons", "counts": "neurons", "draws": "draws", "seed": "seed"}
    prompt: str = Field(description="sentence that ends just before its answer")
    answer: str | None = Field(None, description="word whose probability is explained; the model's own when left out")
    mode: Mode = Field(
        "exact", description="exact scores every neuron; screened only those that may be among the top, which it proves"
    )
    top: int = Field(
        30, ge=1, le=300, description="value neurons of MLPs, and of attention, whose queries are looked for"
    )
    form: Form = Field("share", description="ranks query neurons: share (published code) or dot (the papers)")
    counts: tuple[int, ...] = Field(
        (1, 3, 10, 30, 100, 300), description="how many neurons are switched off together, for the curves"
    )
    draws: int = Field(5, ge=0, le=50, description="random sets of the same layers to compare with")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the random sets")
    second_opinion: bool = Field(
        False, description="also integrated gradients of all MLP neurons (knowledge neurons), and what each token adds"
    )

    @field_validator("counts")
    @classmethod
    def _ascending(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= count <= 10_000 for count in counts):
            raise ValueError("each is a number from 1 to 10000")
        return tuple(sorted(set(counts)))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("neurons", "gradient")


@dataclass(frozen=True)
class Neuron:
    """The card of a neuron.

    `score`: what it adds to the log-probability of the answer (value), or its query score (query).
    """

    units: ClassVar[dict[str, str]] = {
        "layer": "layer number", "index": "neuron number", "head": "head number", "token": "token position",
        "coefficient": "activation", "score": "nats", "zeroed": "probability", "doubled": "probability",
    }  # fmt: skip
    role: Role
    part: Annotated[str, StoredAs("part", {"mlp": "ffn", "attn": "attn"})]  # mlp or attn
    layer: int
    index: int  # in its layer; attention: head · d_head + dimension
    head: int  # of an attention neuron, else -1
    token: int  # that it reads: the last for an MLP's value neuron
    coefficient: float
    score: float
    promotes: list[str]
    suppresses: list[str]  # by its value vector; a negative coefficient turns both round
    zeroed: float  # probability of the answer with its coefficient 0 at every token
    doubled: float

    @property
    def name(self) -> str:
        """f18·1203, or a23·4·17 for head 4, dimension 17."""
        if self.part == "mlp":
            return f"f{self.layer}·{self.index}"
        return f"a{self.layer}·{self.head}·{self.index}"


@dataclass(frozen=True)
class Ablation:
    """The answer with more and more neurons switched off; C counts, D random draws."""

    units: ClassVar[dict[str, str]] = {
        "counts": "neurons", "probability": "probability", "kept": "yes or no", "random": "probability",
        "random_kept": "yes or no",
    }  # fmt: skip
    role: str  # value or query
    counts: list[int]
    probability: np.ndarray  # (C,) strongest first
    kept: np.ndarray  # (C,) bool: the answer is still what the model says
    random: np.ndarray  # (D, C) as many random neurons of the same layers
    random_kept: np.ndarray  # (D, C)


@dataclass(frozen=True)
class NeuronsResult:
    """The attribution of one prompt's answer; L layers, H heads, N neurons of an MLP, M of an attention."""

    units: ClassVar[dict[str, str]] = {
        "answer_id": "token id", "probability": "probability", "start": "nats", "end": "nats", "attn_layer": "nats",
        "mlp_layer": "nats", "heads": "nats", "mlp": "nats", "attn": "nats", "coefficient": "activation",
        "query_dot": "dot product", "query_share": "share", "links": "share", "links_dot": "dot product",
        "unsure": "neuron number", "integrated": "probability", "largest_unscored": "nats", "tokens_ablated": "nats",
        "tokens_integrated": "nats", "tokens_gain": "nats",
    }  # fmt: skip
    request: NeuronsRequest
    model: dict[str, Any]
    tokens: list[str]
    answer: str
    answer_id: int
    probability: float  # the model's own
    said: str  # what the model says
    start: float  # lp of the embedding
    end: float  # lp of the last state; both with the norm held still
    attn_layer: np.ndarray  # (L,) lp gained by the whole attention
    mlp_layer: Annotated[np.ndarray, StoredAs("ffn_layer")]  # (L,) by the whole MLP
    heads: np.ndarray  # (L, H)
    mlp: Annotated[np.ndarray, StoredAs("ffn")]  # (L, N) by each neuron; NaN where screened out
    attn: np.ndarray  # (L, M) by each dimension of each head, its sources together; NaN where screened out
    coefficient: np.ndarray  # (L, N) of the MLP neurons at the last token
    query_dot: np.ndarray  # (L, N)
    query_share: np.ndarray  # (L, N)
    value: list[Neuron]  # top of the MLPs, then top of attention by source token
    query: list[Neuron]
    links: np.ndarray  # (query, value) share of each query neuron in the value neuron's state
    links_dot: np.ndarray  # (query, value)
    unsure: list[int]  # value neurons whose shares were left out, their denominators too near zero
    ablations: list[Ablation]
    integrated: np.ndarray  # (L, N) part of P(answer), a second opinion; empty where not asked for
    largest_unscored: float  # no MLP neuron left out scores more; -inf when exact
    notes: list[str]  # what is not as asked for, and why
    provenance: dict[str, Any]
    tokens_ablated: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T,) part of log P(answer) by replacing each token; empty where not asked for."""
    tokens_integrated: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T,) by integrated gradients of the embeddings."""
    tokens_gain: float = 0.0
    """What the integrated parts should add to."""
    roles: list[str] = field(default_factory=list)  # in a chat, whose words each token is (`analysis.text.chat`)

    @property
    def scored(self) -> int:
        """MLP neurons scored exactly."""
        return int(np.isfinite(self.mlp).sum())

    def agreement(self, count: int = 100) -> tuple[float, float] | None:
        """How far the second opinion agrees: rank correlation over scored neurons, and share of the `count` first."""
        if not self.integrated.size:
            return None
        scored = np.isfinite(self.mlp)
        one, other = self.mlp[scored], self.integrated[scored]
        own = np.where(scored, self.mlp, -np.inf).ravel()
        count = min(count, int(scored.sum()))
        first = [set(np.argsort(-values)[:count].tolist()) for values in (own, self.integrated.ravel())]
        return rank_correlation(one, other), len(first[0] & first[1]) / count

    def tokens_agree(self) -> float | None:
        """Correlation of the two opinions on tokens."""
        if len(self.tokens_ablated) < 2:
            return None
        return float(np.corrcoef(self.tokens_ablated, self.tokens_integrated)[0, 1])

    def layer_sum(self) -> np.ndarray:
        """Sum of the MLP neurons' scores by layer (the paper's layer score), (L,); it is not that of the layer."""
        return np.nansum(self.mlp, axis=1)
