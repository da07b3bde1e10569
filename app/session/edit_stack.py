"""The edits of one visitor: their stack, what can be undone, and where it is kept.

The stack is a value in the session; whatever changes it puts the old one on the pile of undo. It is also written
down, so a reload or a lost connection finds it again: on a public server under the visitor's own name.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit as st
from filelock import FileLock, Timeout

from analysis.cache_home import cache_home
from analysis.errors import BadRequest, Unreadable
from analysis.whole_files import replacing
from app.doors.visitor_cookie import DAYS
from app.jobs.services import public, services
from app.registry.studies import giving
from app.session import days_seen
from app.session.fields import session_id, spec
from app.session.stack_news import joined, news
from app.session.visitor import visitor
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.edit.solved import solved
from editors.edit.stack import EditStack, Layer

PLACE, VISITORS = "stack.json", "visitors"
PATIENCE = 5.0
"""Seconds to wait for another tab that changes the same edits."""
STUDY = giving(Edit).study


def stack() -> EditStack:
    """This visitor's edits of the model they work with."""
    kept = _whole()
    card = services().card(spec())
    own = card["weights_hash"] if card else None
    layers = tuple(layer for layer in kept.layers if own is None or layer.edit.model["weights_hash"] == own)
    return replace(kept, layers=layers)


def _whole() -> EditStack:
    """All edits of this visitor, those of models they used before among them; none while they cannot be read.

    What another tab put down since is taken over, as a step of its own that can be undone.
    """
    state = st.session_state
    if "written" not in state:
        days_seen.touch(_place())  # kept as long as the cookie, which has just been renewed
        seen = _signature()
        found, _ = _recovered()
        if found is None:
            return EditStack()
        state["written"], state["written.seen"] = found, seen
        return found
    if not state.get("written.unread"):
        _look()
        if state.get("written.unsaved") and services().store.disk.said() is None:
            _put_down(state["written"])
    return state["written"]


def _look() -> None:
    """Take over what lies on the disk now, where somebody else put it there."""
    state, seen = st.session_state, _signature()
    if seen is None or seen == state.get("written.seen"):
        return
    found, whole = _recovered()
    if found is None:
        return
    state["written.seen"] = seen
    own = state["written"]
    new = joined(found, own) if state.get("written.unsaved") else found
    if whole and (told := news(own, new)):
        state.setdefault("written.undo", []).append(own)
        state["written.redo"], state["written"], state["written.news"] = [], new, told


def _signature() -> tuple[int, int, int] | None:
    """What tells the file as it lies there from every other; None for none that can be looked at."""
    try:
        found = _place().stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


@contextmanager
def _alone() -> Iterator[None]:
    """A change from the look at what is there to its being put down: no other tab or server changes it meanwhile.

    Where the disk lets nobody say so, the change is made all the same; it may not be kept then.
    """
    with ExitStack() as held:
        with suppress(OSError, Timeout):
            place = _place()
            place.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(f"{place}.lock", timeout=PATIENCE))
        yield


def on() -> tuple[Edit, ...]:
    """The edits that are on."""
    return stack().on


def _put(new: EditStack) -> None:
    """Take `new` as the stack; the one before can be had back."""
    st.session_state.setdefault("written.undo", []).append(_whole())
    st.session_state["written.redo"] = []
    st.session_state.setdefault("written.unread", "written" not in st.session_state)
    own = {layer.edit.id for layer in stack().layers}
    others = tuple(layer for layer in _whole().layers if layer.edit.id not in own)  # of other models, kept for later
    _take(replace(new, layers=(*others, *new.layers)))


def write_over(edit: Edit) -> None:
    """Put an edit on top; one that was brought and is found here now stays in its place, as measured here.

    `BadRequest` where it does not fit.
    """
    with _alone():
        kept = stack()
        same = [layer.edit for layer in kept.layers if layer.edit.id == edit.id]
        new = kept.renew(edit) if same and _says_more(edit, same[0]) else kept.add(edit)
        _store(edit)
        _put(new)


def _says_more(edit: Edit, kept: Edit) -> bool:
    """Whether more of what an edit says was measured here than of the same one that is kept."""
    return (edit.measured, not edit.brought) > (kept.measured, not kept.brought)


def replace_top(edit: Edit) -> None:
    """Put an edit in the place of the uppermost one that is on; of all it is solved from, where it is."""
    with _alone():
        kept = stack()
        top = kept.on[-1]
        new = kept.remove(*(top.parts if top.id not in {one.id for one in kept.switched_on} else (top.id,))).add(edit)
        _store(edit)
        _put(new)


def make_one(edit: Edit) -> None:
    """Put an edit in the place of those it was solved from."""
    with _alone():
        new = stack().merge(edit)
        _store(edit)
        _put(new)


def _store(edit: Edit) -> None:
    """Keep an edit by the hash of all it says, once: whoever brings another, or the same, writes over nothing."""
    key, store = edit.whole_id, services().store
    there = store.load(STUDY, key)
    if there is None or there.whole_id != key:
        store.keep(STUDY, key, edit)


def below(request: EditRequest) -> tuple[Edit, ...]:
    """What a new edit is found on top of: by a method that spares what was written before, the edits that are on; by
    all others the model as it was trained, so that each can be switched by itself."""
    return on() if request.on_top else ()


def found_on(edit: Edit) -> tuple[Edit, ...]:
    """The edits an edit was found on top of, as far as this visitor has them; solved where they were then."""
    below = tuple(layer.edit for layer in stack().layers if layer.edit.id in edit.built_on)
    together = solved(below)
    return together if any(one.id in edit.built_on for one in together if one.parts) else below


def can(direction: str) -> bool:
    """Whether there is something to `undo`, or to `redo`."""
    return bool(st.session_state.get(f"written.{direction}"))


def step(direction: str) -> None:
    """Undo, or redo."""
    with _alone():
        now = _whole()
        if not can(direction):  # what another tab did since left nothing to bring back
            return
        other = "redo" if direction == "undo" else "undo"
        st.session_state.setdefault(f"written.{other}", []).append(now)
        _take(st.session_state[f"written.{direction}"].pop())


def solve(together: bool) -> None:
    """Solve the edits together, or pile them up; a refusal is kept to be shown."""
    attempt(lambda: stack().as_solved(together))


def switch(edit_id: str, on: bool) -> None:
    """Switch an edit on or off; a refusal is kept to be shown."""
    attempt(lambda: stack().switch(edit_id, on))


def all_off() -> None:
    """Switch every edit off."""
    attempt(lambda: stack().switch_all(False))


def remove(edit_id: str) -> None:
    """Take an edit off the stack."""
    attempt(lambda: stack().remove(edit_id))


def move(edit_id: str, steps: int) -> None:
    """Move an edit up the stack by so many places, down for fewer than none."""

    def moved() -> EditStack:
        layers = stack().layers
        place = next(index for index, layer in enumerate(layers) if layer.edit.id == edit_id)
        return stack().move(edit_id, min(max(0, place + steps), len(layers) - 1))

    attempt(moved)


def attempt(change: Any) -> None:
    """Put the stack that `change()` gives, or keep its refusal for the margin to show."""
    try:
        with _alone():
            _put(change())
        st.session_state.pop("written.refusal", None)
    except BadRequest as error:
        st.session_state["written.refusal"] = str(error)


def _take(new: EditStack) -> None:
    st.session_state["written"] = new
    st.session_state.pop("written.news", None)
    if not st.session_state.get("written.unread"):  # what lies there but could not be read is not written over
        _put_down(new)


def _put_down(new: EditStack) -> None:
    layers, disk = [{"edit": layer.edit.whole_id, "on": layer.on} for layer in new.layers], services().store.disk
    kept = {"solved": True, "layers": layers} if new.solved else layers
    try:
        with replacing(_place()) as fresh:
            fresh.write_text(json.dumps(kept), encoding="utf-8")
        st.session_state["written.unsaved"], st.session_state["written.seen"] = False, _signature()
        disk.fine("edits")
    except OSError as error:
        st.session_state["written.unsaved"] = True
        disk.failed("edits", error)


def name() -> str:
    """The name a visitor of a public server is known by."""
    return visitor(session_id())


def _place() -> Path:
    """Where this visitor's stack is kept; those nobody came back to are cleared away."""
    if not public():
        return cache_home() / PLACE
    folder = cache_home() / VISITORS
    days_seen.clear_away(folder, "*.json*", DAYS)
    return folder / f"{sha256(name().encode()).hexdigest()[:32]}.json"


def _recovered() -> tuple[EditStack | None, bool]:
    """The stack as it was put down, and whether that is all of it; None where the system does not let it be read."""
    store, found = services().store, EditStack()
    try:
        text = _place().read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return found, False
    except OSError as error:
        store.disk.failed("reading", error)
        return None, False
    try:
        entries = json.loads(text)
        if isinstance(entries, dict):  # a list where edits are piled up, as all stacks were before
            found, entries = replace(found, solved=bool(entries["solved"])), entries["layers"]
        for entry in entries:
            edit = _stored(entry["edit"]) if entry["edit"].isalnum() else None
            if edit is not None:
                found = replace(found, layers=(*found.layers, Layer(edit, bool(entry["on"]))))
        return found, len(found.layers) == len(entries)
    except Unreadable:
        return None, False
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, BadRequest):
        return found, False  # a stack that was cut short: what came before stands


def _stored(key: str) -> Edit | None:
    """A stored edit, if it is the one that its key is a hash of.

    Stacks of before say the edit's id, which does not cover what was measured: such an edit counts as brought.
    """
    edit = services().store.read(STUDY, key)
    if edit is None or edit.whole_id == key:
        return edit
    if edit.id != key:
        return None
    _store(older := edit.as_brought())
    return older
