"""What another tab did to a person's edits, said in a sentence: every tab shows the same ones."""

from dataclasses import replace

from analysis.errors import BadRequest
from editors.edit.stack import EditStack, Layer

MOST = 3
"""Edits of each kind that the sentence names."""


def news(before: EditStack, after: EditStack) -> str:
    """The sentence; empty where both are the same."""
    old = {layer.edit.id: layer for layer in before.layers}
    new = {layer.edit.id: layer for layer in after.layers}
    both = [one for one in new if one in old]
    done = {
        "wrote": [new[one] for one in new if one not in old],
        "took off": [old[one] for one in old if one not in new],
        "switched on": [new[one] for one in both if new[one].on and not old[one].on],
        "switched off": [new[one] for one in both if old[one].on and not new[one].on],
        "measured anew": [new[one] for one in both if new[one].edit.whole_id != old[one].edit.whole_id],
    }
    parts = [f"{what} {_named([layer.edit.title for layer in layers])}" for what, layers in done.items() if layers]
    if both != [one for one in old if one in new]:
        parts.append("changed their order")
    if before.solved != after.solved:
        parts.append("solved them together" if after.solved else "piled them up")
    return f"Another tab {', '.join(parts)}. Undo takes it back." if parts else ""


def _named(titles: list[str]) -> str:
    more = f" and {len(titles) - MOST} more" if len(titles) > MOST else ""
    return ", ".join(f"“{title}”" for title in titles[:MOST]) + more


def joined(theirs: EditStack, ours: EditStack) -> EditStack:
    """Their edits, and on top those of ours that they lack; off where what they were found on top of is off."""
    have, found = {layer.edit.id for layer in theirs.layers}, theirs
    for layer in ours.layers:
        if layer.edit.id not in have:
            found = _with(found, layer)
    return found


def _with(stack: EditStack, layer: Layer) -> EditStack:
    """The stack with one more on top, off where it cannot be on there."""
    try:
        return replace(stack, layers=(*stack.layers, layer)).as_solved(stack.solved)
    except BadRequest:
        return replace(stack, layers=(*stack.layers, replace(layer, on=False)))
