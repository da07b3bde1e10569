"""Gates: what an edit must reach before it is let in, written down and hashed before anything is measured.

A gate is a named, numbered list of thresholds. Whoever moves a threshold after seeing the numbers has another gate,
with another hash, and the old verdict says nothing about it (DMM-Gov, 2509.18868, chapters 4.5 to 7).
"""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from analysis.errors import BadFile
from editors.edit.probes import Kind
from editors.evaluation.result import FREE, IN_PERCENT, KEPT, PROTOCOLS, Protocol, wants_new
from editors.recipes.canonical_json import content_hash

Direction = Literal["at least", "at most"]
Measure = Literal["value", "change"]
Rule = Literal["95 % bound"]
LARGEST = 1 << 20
"""Bytes of a gate file."""


class Threshold(BaseModel):
    """One number of an evaluation and the value its 95 % bound must meet; shares are 0 to 1, KL is in nats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Protocol
    kind: Kind
    direction: Direction
    value: float = Field(allow_inf_nan=False)
    measure: Measure = "value"
    """`change`: the method's number less that without an edit, over the cases that have both."""
    rule: Rule = "95 % bound"
    """The end of the two-sided 95 % interval on the unfavourable side decides; there is no other rule yet."""
    source: str = ""
    """Where the value is from."""

    @model_validator(mode="after")
    def _can_be_met(self) -> "Threshold":
        follows = wants_new(self.kind)
        if (self.protocol in KEPT and follows) or (self.protocol in FREE and not follows):
            raise ValueError(f"{self.protocol} says nothing about prompts of the kind {self.kind}")
        if self.protocol == "eos" and self.kind in ("rewrite", "paraphrase"):
            raise ValueError(f"eos says nothing about prompts of the kind {self.kind}")
        if self.protocol in IN_PERCENT:
            low = 0.0 if self.measure == "value" else -1.0
            if not low < self.value < 1:
                raise ValueError(
                    f"value is {self.value:g}; a share must lie between {low:g} and 1, both left out: no number of "
                    "cases shows that something always holds or never does"
                )
        elif self.protocol == "kl" and self.value <= 0:
            raise ValueError(f"value is {self.value:g}; a KL divergence is above 0")
        return self

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What it is a threshold of; a gate has one for each."""
        return self.protocol, self.kind, self.measure, self.direction


class Gate(BaseModel):
    """Thresholds under a name and a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    version: int = Field(ge=1)
    thresholds: tuple[Threshold, ...] = Field(min_length=1, max_length=len(PROTOCOLS) * len(get_args(Kind)) * 4)

    @model_validator(mode="after")
    def _each_once(self) -> "Gate":
        seen: set[tuple[str, str, str, str]] = set()
        for one in self.thresholds:
            if one.place in seen:
                raise ValueError(
                    f"there are two thresholds {one.direction} a {one.measure} of {one.protocol}, {one.kind}"
                )
            seen.add(one.place)
        return self

    @property
    def hash(self) -> str:
        """Content hash, 24 hexadecimal digits; of the name, version and sources too."""
        return content_hash(self.model_dump(mode="json"))


PAPER = "2509.18868, illustrative"
DEFAULT = Gate(
    name="default",
    version=1,
    thresholds=(
        Threshold(
            protocol="strict",
            kind="rewrite",
            direction="at least",
            value=0.90,
            source=f"edit success ≥ .90 ({PAPER}); the strict protocol is our choice",
        ),
        Threshold(
            protocol="likelihood",
            kind="paraphrase",
            direction="at least",
            value=0.80,
            source="ours",
        ),
        Threshold(
            protocol="agreement",
            kind="neighbour",
            direction="at least",
            value=0.95,
            source=f"locality ≥ .95 ({PAPER}); agreement of the next word is our choice",
        ),
        Threshold(
            protocol="likelihood",
            kind="neighbour",
            direction="at least",
            value=-0.02,
            measure="change",
            source=f"drawdown ≤ 2 % ({PAPER}); against the model without the edit on neighbours is our choice",
        ),
    ),
)
"""After the paper's illustrative values; meant to be overridden by whoever bears the risk."""


def gate_of(data: Any, place: str = "The gate") -> Gate:
    """A gate from plain JSON data; `BadFile` lists every fault, one sentence each."""
    if not isinstance(data, dict):
        raise BadFile(f"{place} is not a gate. A gate is an object of name, version and thresholds.")
    try:
        return Gate.model_validate(data)
    except ValidationError as error:
        faults = tuple(_sentence(fault) for fault in error.errors())
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise BadFile(f"{place} has {count}. Nothing was run.", faults) from error


def _sentence(fault: Any) -> str:
    place = ".".join(map(str, fault["loc"]))
    said = "there must be at least one" if fault["type"] == "too_short" else fault["msg"].removeprefix("Value error, ")
    return f"{place}: {said}." if place else f"{said[0].upper()}{said[1:]}."


def read_gate(place: Path | str) -> Gate:
    """The gate of a JSON file; `BadFile` where there is none or it has faults."""
    place = Path(place)
    try:
        if place.stat().st_size > LARGEST:
            raise BadFile(f"{place} is larger than 1 MB; a gate is a short list of thresholds. Choose another file.")
        data = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadFile(f"{place} is not a gate in JSON ({reason}). Name a gate file, or “default”.") from error
    return gate_of(data, str(place))
