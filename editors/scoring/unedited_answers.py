"""What a model said last: the methods of a case, a part each, are all held against the same answers without edits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from analysis.study import Request

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Said = TypeVar("Said")


def said_last(lm: "LanguageModel", request: Request, ask: Callable[[], Said]) -> Said:
    """What `lm`, under the edits it is under, says to `request`; `ask` when that was not the last of its kind."""
    place, key = ("said last", type(request).__name__), request.key(lm.weights_hash)
    if place not in lm.memo or lm.memo[place][0] != key:
        lm.memo[place] = key, ask()
    return lm.memo[place][1]  # type: ignore[no-any-return]
