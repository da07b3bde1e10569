"""How a prompt is put to a model: as it stands or inside a chat, and what lies between it and its answer.

Both belong to a request, not to a call: every prompt that a run asks, whichever function asks it, is put in the same
way. `framed` opens the request's framing for the length of a run; `LanguageModel.encode` puts prompts accordingly.
"""

import functools
import hashlib
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from analysis.study import Request
from analysis.text.boundary import Boundary, between, ended
from analysis.text.tokens import Tokens, subject_range

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


_PROMPTS = frozenset(("prompt", "text", "two_hop"))
_ANSWERS = frozenset(("answer", "foil", "target", "new", "old", "olds", "memory", "context", "edited"))


def read_otherwise(value: Any, name: str = "") -> bool:
    """Whether a request's data hold a text that was read otherwise while every answer stood behind a space.

    Prompts after which none stands, that bring their own BOS, or with letters that were shown as broken bytes or found
    in one composition only; answers that begin with what stands close to the word before.
    """
    if isinstance(value, dict):
        return any(read_otherwise(part, key) for key, part in value.items())
    if isinstance(value, list):
        return any(read_otherwise(part, name) for part in value)
    if not isinstance(value, str) or not value.strip():
        return False
    if name in _ANSWERS:
        return between("a", value) != " "
    return name in _PROMPTS and (
        between(value.replace("{}", "a"), "a") != " "
        or value.endswith(" ")
        or value.lstrip().startswith("<")
        or unicodedata.normalize("NFC", value) != value
        or any(ord(char) > 0x24F and not 0x2000 <= ord(char) < 0x2070 for char in value)
    )


class Prompted(Request):
    """A request that puts prompts before the model."""

    later: ClassVar[tuple[str, ...]] = ("boundary", "chat")
    boundary: Boundary = Field(
        "auto", description="between prompt and answer: auto (from the prompt's end), space or none"
    )
    chat: Chat | None = Field(None, description="put prompts into this conversation, in the model's own template")

    def framing(self) -> dict[str, Any]:
        """How this request's prompts are put, for the requests a run of it makes."""
        return {"boundary": self.boundary, "chat": self.chat}

    def key(self, model: str) -> str:
        """As of any request; prompts and answers that used to be read otherwise have keys of their own."""
        own = super().key(model)
        otherwise = read_otherwise(self.model_dump(mode="json"))
        return hashlib.sha256(f"{own}|boundary".encode()).hexdigest()[:24] if otherwise else own


class OnePrompt(Prompted):
    """A request about one `prompt`, which subclasses declare: what belongs to its answer is taken off its end."""

    if TYPE_CHECKING:
        prompt: str

    def refuse(self, read: Callable[[str], Any]) -> None:
        """See `Request.refuse`."""
        read(self.prompt)

    @field_validator("prompt", check_fields=False)
    @classmethod
    def _as_put(cls, prompt: str) -> str:
        return ended(prompt)


class OneSubject(OnePrompt):
    """A request about a `subject` within its prompt, both of which subclasses declare."""

    if TYPE_CHECKING:
        subject: str
        occurrence: int | None

    def refuse(self, read: Callable[[str], Tokens]) -> None:
        """See `Request.refuse`: the subject must stand in the prompt, in one place."""
        subject_range(read(self.prompt), self.subject, self.occurrence)


PLAIN = Prompted()
"""Prompts as they stand."""


def framed(run: Run) -> Run:
    """A run `(lm, request, …)` whose prompts are put as its request says, by a model that can do what it needs."""

    @functools.wraps(run)
    def call(lm: Any, request: Prompted, *args: Any, **options: Any) -> Any:
        lm.require(request.needs())
        with lm.framed(request):
            return run(lm, request, *args, **options)

    return cast(Run, call)
