"""What every comparison of methods is asked: which cases, which methods. Plain data."""

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from analysis.one_of import stored
from analysis.text.framing import Prompted
from editors.cases.case import Case
from editors.edit.request import editions, needs_of
from editors.registry.versions import settled_version


class Comparison(Prompted):
    """The same cases, written with several methods."""

    units: ClassVar[dict[str, str]] = {"sadr": "weight", "seed": "seed"}
    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    later: ClassVar[tuple[str, ...]] = (*Prompted.later, "halved")
    cases: tuple[Case, ...] = Field(min_length=1, description="facts to write and the prompts that test them")
    methods: tuple[str, ...] = Field(
        ("rome", "memit"),
        description="editors to compare, each with its own defaults; with SADR as in rome+sadr, protecting "
        "neighbours as in rome+protect, leaving other answers as in rome+values",
    )
    sadr: float = Field(0.1, gt=0, description="weight of SADR where a method is to have it")
    halved: bool = Field(
        False,
        description="protect the first half of each case's neighbours where a method is to protect some, and score the "
        "other half only, whatever the method; else stored subjects of the relation are protected, and all are scored",
    )
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the methods write")

    def own_edition(self) -> int:
        return self.edition + editions(self.methods)

    @field_validator("methods")
    @classmethod
    def _known(cls, methods: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(dict.fromkeys(methods if stored(info) else map(settled_version, methods)))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return needs_of(self.methods)
