"""How a prompt is put to a model: as it stands or inside a chat, and what lies between it and its answer.

Both belong to a request, not to a call: every prompt that a run asks, whichever function asks it, is put in the same
way. `framed` opens the request's framing for the length of a run; `LanguageModel.encode` puts prompts accordingly.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from analysis.boundary import Boundary
from analysis.study import Request

Run = TypeVar("Run", bound=Callable[..., Any])


class Chat(BaseModel):
    """The conversation a prompt is put into: the person's turn, in the model's own template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str = Field("", description="what the model is told before; the template's own when empty")
    prefix: str = Field("", description="words the model's answer has begun with already")
    thinking: bool | None = Field(
        None,
        description="let it think first, or not, where its template knows how; the template's own when left out",
    )


class Framing(Protocol):
    """What of a request says how its prompts are put."""

    @property
    def boundary(self) -> Boundary: ...
    @property
    def chat(self) -> Chat | None: ...


class Prompted(Request):
    """A request that puts prompts before the model."""

    later: ClassVar[tuple[str, ...]] = ("boundary", "chat")
    boundary: Boundary = Field(
        "auto", description="between prompt and answer: auto (from the prompt's end), space or none"
    )
    chat: Chat | None = Field(None, description="put prompts into this conversation, in the model's own template")

    def framing(self) -> dict[str, Any]:
        """The fields that say so, for a request that is asked on behalf of this one."""
        return {"boundary": self.boundary, "chat": self.chat}


PLAIN = Prompted()
"""Prompts as they stand."""


def framed(run: Run) -> Run:
    """A run `(lm, request, …)` whose prompts are put as its request says."""

    @functools.wraps(run)
    def call(lm: Any, request: Prompted, *args: Any, **options: Any) -> Any:
        with lm.framed(request):
            return run(lm, request, *args, **options)

    return cast(Run, call)
