"""What every comparison of methods is asked: which cases, which methods. Plain data."""

from typing import ClassVar, get_args

from pydantic import Field, field_validator

from analysis.text.framing import Prompted
from editors.cases.case import Case
from editors.edit.request import MethodName, in_parts, needs_of

WITH_SADR: tuple[MethodName, ...] = ("rome", "memit", "emmet", "alphaedit", "pmet", "ft")
"""Methods that can hold attention back."""


class Comparison(Prompted):
    """The same cases, written with several methods."""

    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    cases: tuple[Case, ...] = Field(min_length=1, description="facts to write and the prompts that test them")
    methods: tuple[str, ...] = Field(
        ("rome", "memit"), description="editors to compare, each with its own defaults; with SADR as in rome+sadr"
    )
    sadr: float = Field(0.1, gt=0, description="weight of SADR where a method is to have it")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the methods write")

    def own_edition(self) -> int:
        return 3 if any(in_parts(one.partition("+")[0]) for one in self.methods) else self.edition

    @field_validator("methods")
    @classmethod
    def _known(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for one in methods:
            method, mark, extra = one.partition("+")
            if method not in get_args(MethodName) or (mark and (extra != "sadr" or method not in WITH_SADR)):
                raise ValueError(
                    f"there is no method {one}; take {', '.join(get_args(MethodName))}, or one of "
                    f"{', '.join(WITH_SADR)} with +sadr"
                )
        return tuple(dict.fromkeys(methods))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return needs_of(self.methods)
