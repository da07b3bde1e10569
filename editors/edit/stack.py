"""The edits of one person, in order, each on or off. Plain data: nothing here touches a model.

Every operation gives a new stack, so undo and redo are a list of stacks.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from analysis.errors import BadRequest
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.edit.solved import solved


@dataclass(frozen=True)
class Layer:
    """One edit of a stack."""

    edit: Edit
    on: bool = True


@dataclass(frozen=True)
class EditStack:
    """Edits in the order they were written. An edit found on top of others is on only where they are on below it."""

    layers: tuple[Layer, ...] = ()
    solved: bool = False
    """Whether those that can be are solved together (`editors.edit.solved`), in place of added up as each was found."""

    @property
    def switched_on(self) -> tuple[Edit, ...]:
        """The edits that are switched on, each by itself, lowest first."""
        return tuple(layer.edit for layer in self.layers if layer.on)

    @cached_property
    def on(self) -> tuple[Edit, ...]:
        """What is written over the model, lowest first: the edits that are on, those solved together as one."""
        return solved(self.switched_on) if self.solved else self.switched_on

    @property
    def solvable(self) -> bool:
        """Whether it makes a difference to solve them: some two that are on share a normal matrix."""
        return len(solved(self.switched_on)) < len(self.switched_on)

    def as_solved(self, together: bool) -> "EditStack":
        """The stack with its edits solved together, or added up."""
        return _sound(replace(self, solved=together))

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
        return _sound(replace(self, layers=(*self.layers, Layer(edit))))

    def renew(self, edit: Edit) -> "EditStack":
        """The stack with an edit in the place of the one of the same id, on or off as that is."""
        self.find(edit.id)
        renewed = (replace(one, edit=edit) if one.edit.id == edit.id else one for one in self.layers)
        return replace(self, layers=tuple(renewed))

    def remove(self, *edit_ids: str) -> "EditStack":
        """The stack without these edits."""
        for edit_id in edit_ids:
            self.find(edit_id)
        return _sound(replace(self, layers=tuple(layer for layer in self.layers if layer.edit.id not in edit_ids)))

    def merge(self, edit: Edit) -> "EditStack":
        """The stack with an edit in the place of those it was solved from, where the lowest of them stood."""
        for part in edit.parts:
            self.find(part)
        lowest = min(place for place, layer in enumerate(self.layers) if layer.edit.id in edit.parts)
        rest = [layer for layer in self.layers if layer.edit.id not in edit.parts]
        return _sound(replace(self, layers=(*rest[:lowest], Layer(edit), *rest[lowest:])))

    def switch(self, edit_id: str, on: bool) -> "EditStack":
        """The stack with an edit switched on or off."""
        self.find(edit_id)
        changed = (replace(layer, on=on) if layer.edit.id == edit_id else layer for layer in self.layers)
        return _sound(replace(self, layers=tuple(changed)))

    def switch_all(self, on: bool) -> "EditStack":
        """The stack with all its edits on, or off."""
        return _sound(replace(self, layers=tuple(replace(layer, on=on) for layer in self.layers)))

    def move(self, edit_id: str, place: int) -> "EditStack":
        """The stack with an edit at another place, counted from 0, the lowest."""
        moved = self.find(edit_id)
        rest = [layer for layer in self.layers if layer.edit.id != edit_id]
        return _sound(replace(self, layers=(*rest[:place], moved, *rest[place:])))

    def conflicts(self, request: EditRequest) -> list[str]:
        """Sentences about facts of a request that edits of the stack, when on, write already."""
        found = []
        for fact in request.facts:
            for edit in self.switched_on:
                for other in edit.request.facts:
                    if (other.prompt, other.subject) == (fact.prompt, fact.subject):
                        found.append(f"“{fact.text}” is written over already, with “{other.target}”.")
        return found


def _sound(stack: EditStack) -> EditStack:
    """The stack itself, refused where an edit is on without those it was found on top of, or none can be solved."""
    below: list[Edit] = []
    for edit in stack.switched_on:
        there = {one for other in below for one in (other.id, *other.parts)}
        if not there.issuperset(edit.built_on):
            there |= {other.id for other in solved(below)} if stack.solved else set()
            if absent := [one for one in edit.built_on if one not in there]:
                raise BadRequest(_lacking(stack, edit, absent))
        below.append(edit)
    stack.on  # noqa: B018 - solved now, so that what cannot be is refused here
    return stack


def _lacking(stack: EditStack, edit: Edit, absent: list[str]) -> str:
    """What an edit needs below it that is not on there."""
    titles = {layer.edit.id: layer.edit.title for layer in stack.layers}
    known = next((one for one in absent if one in titles), absent[0])
    together = solved([layer.edit for layer in stack.layers if layer.edit.id in edit.built_on])
    if known in {one.id for one in together if one.parts}:
        how = "and no other such" if stack.solved else "solved, not piled up"
        return (
            f"“{edit.title}” was found on top of {len(edit.built_on) - 1} edits solved together, and needs just these "
            f"on, below it, {how}. Switch it off first, or write it again without."
        )
    return (
        f"“{edit.title}” was found on top of “{titles.get(known, known)}” and needs it on, below it. Switch both, or "
        "write it again without."
    )
