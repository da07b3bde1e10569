"""What every comparison of methods is asked: which cases, which methods. Plain data."""

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from analysis.one_of import stored
from analysis.text.framing import Prompted
from editors.cases.case import Case
from editors.edit.request import editions, needs_of
from editors.registry.methods import METHODS, SADR_MARK, with_sadr


class Comparison(Prompted):
    """The same cases, written with several methods."""

    units: ClassVar[dict[str, str]] = {"sadr": "weight", "seed": "seed"}
    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    cases: tuple[Case, ...] = Field(min_length=1, description="facts to write and the prompts that test them")
    methods: tuple[str, ...] = Field(
        ("rome", "memit"), description="editors to compare, each with its own defaults; with SADR as in rome+sadr"
    )
    sadr: float = Field(0.1, gt=0, description="weight of SADR where a method is to have it")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the methods write")

    def own_edition(self) -> int:
        return self.edition + editions(self.methods)

    @field_validator("methods")
    @classmethod
    def _known(cls, methods: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for one in () if stored(info) else methods:
            method, mark, extra = one.partition("+")
            if method not in METHODS or (mark and (extra != SADR_MARK or method not in with_sadr())):
                raise ValueError(
                    f"there is no method “{one}”; take {', '.join(METHODS)}, or one of "
                    f"{', '.join(with_sadr())} with +{SADR_MARK}"
                )
        return tuple(dict.fromkeys(methods))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return needs_of(self.methods)
