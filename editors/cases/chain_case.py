"""A chain of facts with what to write in it, and what is asked of the whole."""

from pydantic import BaseModel, ConfigDict, Field

from editors.edit.request import Rewrite


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hop(_Plain):
    """One fact of the chain as it is once the edits hold; the first answer is the one to show."""

    prompt: str
    answers: tuple[str, ...] = Field(min_length=1)


class ChainCase(_Plain):
    """Facts to write, the chain that then holds, and questions whose answer needs the whole of it."""

    id: str
    rewrites: tuple[Rewrite, ...] = Field(min_length=1)
    hops: tuple[Hop, ...] = Field(min_length=1)
    questions: tuple[str, ...] = Field(min_length=1, description="wordings of the whole; one that ends in ? is asked")
    answers: tuple[str, ...] = Field(min_length=1, description="once the edits hold; the others are aliases")
    old: tuple[str, ...] = Field((), description="the answer before, and its aliases")
    kind: str = Field("", description="what was edited: first, second, …")
