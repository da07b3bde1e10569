"""What a model said last: the methods of a case, a part each, are all held against the same answers without edits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from analysis.study import Request

if TYPE_CHECKING:
    from analysis.model import LanguageModel

Said = TypeVar("Said")


class LastSaid(Generic[Said]):
    """The last answers of each model, as long as it is there."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[LanguageModel, tuple[str, Said]] = WeakKeyDictionary()

    def to(self, lm: "LanguageModel", request: Request, ask: Callable[[], Said]) -> Said:
        """What `lm`, under the edits it is under, says to `request`; `ask` when that was not the last."""
        key = request.key(lm.weights_hash)
        if (kept := self._kept.get(lm)) is not None and kept[0] == key:
            return kept[1]
        said = ask()
        self._kept[lm] = key, said
        return said
