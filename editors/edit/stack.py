"""The edits of one person, in order, each on or off. Plain data: nothing here touches a model.

Every operation gives a new stack, so undo and redo are a list of stacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.errors import BadRequest
from editors.edit.edit import Edit
from editors.edit.request import EditRequest


@dataclass(frozen=True)
class Layer:
    """One edit of a stack."""

    edit: Edit
    on: bool = True


@dataclass(frozen=True)
class EditStack:
    """Edits in the order they were written. An edit found on top of others is on only where they are on below it."""

    layers: tuple[Layer, ...] = ()

    @property
    def on(self) -> tuple[Edit, ...]:
        """The edits that are on, lowest first."""
        return tuple(layer.edit for layer in self.layers if layer.on)

    def __len__(self) -> int:
        return len(self.layers)

    def find(self, edit_id: str) -> Layer:
        """The layer of an edit; `BadRequest` where it is not in the stack."""
        for layer in self.layers:
            if layer.edit.id == edit_id:
                return layer
        raise BadRequest(f"There is no edit {edit_id} in this stack.")

    def add(self, edit: Edit) -> "EditStack":
        """The stack with an edit on top, on; refused for other weights, or twice."""
        if any(layer.edit.id == edit.id for layer in self.layers):
            raise BadRequest(f"“{edit.title}” is written already. Nothing was changed.")
        own = edit.model["weights_hash"]
        if self.layers and self.layers[0].edit.model["weights_hash"] != own:
            raise BadRequest(f"“{edit.title}” was written on other weights than the edits below. Nothing was changed.")
        return _sound(EditStack((*self.layers, Layer(edit))))

    def renew(self, edit: Edit) -> "EditStack":
        """The stack with an edit in the place of the one of the same id, on or off as that is."""
        self.find(edit.id)
        return EditStack(tuple(replace(one, edit=edit) if one.edit.id == edit.id else one for one in self.layers))

    def remove(self, edit_id: str) -> "EditStack":
        """The stack without an edit."""
        self.find(edit_id)
        return _sound(EditStack(tuple(layer for layer in self.layers if layer.edit.id != edit_id)))

    def switch(self, edit_id: str, on: bool) -> "EditStack":
        """The stack with an edit switched on or off."""
        self.find(edit_id)
        changed = (replace(layer, on=on) if layer.edit.id == edit_id else layer for layer in self.layers)
        return _sound(EditStack(tuple(changed)))

    def switch_all(self, on: bool) -> "EditStack":
        """The stack with all its edits on, or off."""
        return _sound(EditStack(tuple(replace(layer, on=on) for layer in self.layers)))

    def move(self, edit_id: str, place: int) -> "EditStack":
        """The stack with an edit at another place, counted from 0, the lowest."""
        moved = self.find(edit_id)
        rest = [layer for layer in self.layers if layer.edit.id != edit_id]
        return _sound(EditStack((*rest[:place], moved, *rest[place:])))

    def conflicts(self, request: EditRequest) -> list[str]:
        """Sentences about facts of a request that edits of the stack, when on, write already."""
        found = []
        for fact in request.facts:
            for edit in self.on:
                for other in edit.request.facts:
                    if (other.prompt, other.subject) == (fact.prompt, fact.subject):
                        found.append(f"“{fact.text}” is written over already, with “{other.target}”.")
        return found


def _sound(stack: EditStack) -> EditStack:
    """The stack itself, refused where an edit is on without those it was found on top of."""
    below: Sequence[str] = ()
    for layer in stack.layers:
        if layer.on:
            absent = [edit_id for edit_id in layer.edit.built_on if edit_id not in below]
            if absent:
                titles = {other.edit.id: other.edit.title for other in stack.layers}
                raise BadRequest(
                    f"“{layer.edit.title}” was found on top of “{titles.get(absent[0], absent[0])}” and needs it "
                    "on, below it. Switch both, or write it again without."
                )
            below = [*below, layer.edit.id]
    return stack
