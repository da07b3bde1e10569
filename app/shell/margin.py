"""The margin of the page, the same everywhere: the model, what is written over, earlier runs."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import streamlit as st
from pydantic import ValidationError

from analysis.errors import BadRequest, WorkbenchError
from analysis.one_of import STORED
from app.components import rail
from app.components.pulse import pulse
from app.doors import login
from app.jobs.history import Run
from app.jobs.services import rail_owner, services
from app.registry.pages import scripts
from app.registry.studies import ENTRIES
from app.session import address, edit_stack
from app.session.fields import session_id, spec
from app.session.run_flow import escape
from app.session.standing import colour_of, marks
from app.shell.going_on import going_on
from editors.edit.stack import Layer
from editors.registry.versions import label_of

PAGES = scripts()


def margin() -> Callable[[], None]:
    """Draw the sidebar; what is returned draws the list of runs in it, which the page may first add one to."""
    with st.sidebar:
        st.markdown("#### Model")
        model_status()
        place = st.container()
        written_over()
        earlier_runs()
        signed_in()

    def runs() -> None:
        with place:
            going_on(PAGES)

    return runs


def signed_in() -> None:
    """Who has signed in, and the way out; nothing on a server that asks nobody."""
    if login.asked() and st.user.is_logged_in:
        st.markdown(f":gray[:small[Signed in as {escape(str(st.user.get('email') or st.user.get('name') or '?'))}]]")
        st.button("Sign out", icon=":material/logout:", type="tertiary", key="sign-out", on_click=st.logout)


def written_over() -> None:
    """The edits, each with its switch; undo, redo, all off."""
    layers = edit_stack.stack().layers
    if not layers:
        st.markdown("#### Written over")
        st.markdown(":gray[:small[Nothing yet: the model is as it was trained.]]")
    else:
        on = sum(layer.on for layer in layers)
        st.markdown(f"#### Written over :{'orange' if on else 'gray'}-badge[{on} of {len(layers)} on]")
    for place, layer in reversed(list(enumerate(layers))):
        _written_row(layer, place, len(layers))
    if told := st.session_state.get("written.news"):
        st.markdown(f":gray[:small[:material/tab: {escape(told)}]]")
    if refusal := st.session_state.get("written.refusal"):
        st.markdown(f":red[:small[:material/error: {escape(refusal)}]]")
    if layers or edit_stack.can("undo") or edit_stack.can("redo"):
        with st.container(horizontal=True, key="written-steps"):
            st.button(
                "Undo", icon=":material/undo:", type="tertiary", key="written-undo", shortcut="Mod+Z",
                disabled=not edit_stack.can("undo"), on_click=edit_stack.step, args=("undo",),
            )  # fmt: skip
            st.button(
                "Redo", icon=":material/redo:", type="tertiary", key="written-redo",
                disabled=not edit_stack.can("redo"), on_click=edit_stack.step, args=("redo",),
            )  # fmt: skip
            st.button(
                "All off", icon=":material/toggle_off:", type="tertiary", key="written-off",
                disabled=not edit_stack.on(), on_click=edit_stack.all_off,
            )  # fmt: skip


def _written_row(layer: Layer, place: int, count: int) -> None:
    edit = layer.edit
    key = f"written-{edit.id}"
    places = sorted({change.layer for change in edit.changes})
    where = f"layer {places[0]}" if len(places) == 1 else f"layers {places[0]}–{places[-1]}"
    what, was, now = map(escape, edit.sides)
    more = f" and {len(edit.request.facts) - 1} more" if len(edit.request.facts) > 1 else ""
    st.session_state[key] = layer.on
    on, text, off = st.columns([1.1, 4.4, 0.8], gap="xsmall")
    on.toggle(f"{edit.title}: on", key=key, label_visibility="collapsed", on_change=_switched, args=(edit.id,))
    method = escape(label_of(edit.request.method))
    if layer.on:
        text.markdown(f"**{what}** :blue[{was}] → :orange[{now}]{more}  \n:gray[:small[{method} · {where}]]")
    else:
        text.markdown(f":gray[{what} {was} → {now}{more}]  \n:gray[:small[{method} · {where} · off]]")
    if told := [f":{colour_of(icon)}[:small[:material/{icon}: {escape(words)}]]" for icon, words in marks(edit)]:
        text.markdown("  \n".join(told))
    off.button(
        "", icon=":material/close:", type="tertiary", key=f"{key}-remove", help="Take it off the stack",
        on_click=edit_stack.remove, args=(edit.id,),
    )  # fmt: skip
    if count > 1:
        with text.container(horizontal=True, gap="xsmall"):
            for name, icon, steps, end in (("up", "arrow_upward", 1, count - 1), ("down", "arrow_downward", -1, 0)):
                st.button(
                    "", icon=f":material/{icon}:", type="tertiary", key=f"{key}-{name}", disabled=place == end,
                    help=f"Move it {name}", on_click=edit_stack.move, args=(edit.id, steps),
                )  # fmt: skip


def _switched(edit_id: str) -> None:
    edit_stack.switch(edit_id, st.session_state[f"written-{edit_id}"])


@st.fragment
def _while_loading() -> None:
    _status()
    if spec() in services().models.cards:
        st.rerun()
    pulse(1.0, key="loading-pulse")


def model_status() -> None:
    """Name, shape and self-check of this visitor's model, or how far its loading is."""
    if spec() in services().models.cards:
        _status()
    else:
        _while_loading()


def _status() -> None:
    made = services()
    card = made.models.cards.get(spec())
    if card is not None:
        st.markdown(escape(card["name"]))
        st.markdown(
            f":gray[:small[{card['layers']} layers · {card['heads']} heads · {card['dtype']} · {device(card)}]]"
        )
        st.markdown(f":green-badge[:material/check: matches Hugging Face: {logit_difference(card)}]")
        return
    loading = next((job for job in reversed(made.worker.jobs()) if job.study is None and job.spec == spec()), None)
    known = made.card(spec())
    st.markdown(escape(known["name"] if known else spec().source))
    if loading is not None and loading.state == "failed":
        st.markdown(f":red[:small[:material/error: {escape(loading.error or '')}]]")
        return
    note = loading.note if loading is not None and loading.note else "waiting"
    share = loading.share if loading is not None else 0.0
    st.progress(min(share, 1.0), text=f":small[Loading: {escape(note)}]")


def logit_difference(card: dict[str, Any]) -> str:
    """Largest logit difference to Hugging Face, as people write it."""
    difference = card["max_logit_difference_to_hugging_face"]
    return f"{difference:.1g}" if difference else "0.0"


def device(card: dict[str, Any]) -> str:
    """Device as people write it."""
    return card["device"].upper().replace("CUDA:", "GPU ")


def earlier_runs() -> None:
    """The rail: click to see a run again without running it, mark two to compare them."""
    recent = services().history.recent(rail_owner(session_id()))
    runs = [run for run in recent if run.study in PAGES]
    gone = [run for run in recent if run.study not in ENTRIES]
    if runs or gone:
        st.markdown("#### Earlier runs")
    if gone:
        st.markdown(f":gray[:small[:material/extension_off: {escape(not_here(gone))}]]")
    if not runs:
        return
    marked: list[str] = st.session_state.setdefault("marked", [])
    items = [
        {
            "id": run.key,
            "title": run.title,
            "sub": f"{run.note} · {when(run.created_at)}",
            "thumb": run.thumbnail,
            "word": _words(run),
        }
        for run in runs
    ]
    if len(marked) == 2 and st.button(
        "Lay the two side by side", icon=":material/compare:", type="tertiary", key="rail-compare"
    ):
        for side in range(2):
            st.session_state.pop(f"compare.{side}", None)
        st.switch_page("../pages/compare.py")
    choice = rail(items, key="rail", current=st.session_state.get("shown"), marked=marked)  # type: ignore[arg-type]
    if choice and "mark" in choice:
        key = choice["mark"]
        st.session_state["marked"] = [k for k in marked if k != key] if key in marked else [*marked, key][-2:]
        st.rerun()
    elif choice:
        open_run(next(run for run in runs if run.key == choice["open"]))


def _words(run: Run) -> tuple[str, str] | None:
    """Two words that are a run's picture, where its study has such."""
    entry = ENTRIES.get(run.study)
    with suppress(LookupError, TypeError):  # what another edition asked may lack them
        return entry.read("words")(run) if entry is not None and entry.words else None
    return None


def open_run(run: Run) -> None:
    """Show an earlier run: its form filled in, its result drawn from the store."""
    try:
        if (entry := ENTRIES.get(run.study)) is None or run.study not in PAGES:
            raise BadRequest(not_here([run]))
        request = entry.study.request.model_validate(run.request, context=STORED)
    except ValidationError:
        _unopened("Another edition of the workbench made this run; it cannot be opened.")
        return
    except WorkbenchError as error:
        _unopened(str(error))
        return
    if entry.elsewhere and (other := entry.read("elsewhere")(request)):
        st.switch_page(PAGES[other])
    address.arrive(entry.study, request, run.key)
    st.switch_page(PAGES[run.study])


def _unopened(why: str) -> None:
    st.markdown(f":red[:small[:material/error: {escape(why)}]]")


def not_here(runs: list[Run]) -> str:
    """What is said of runs whose studies this server has no page for, or no longer."""
    studies = ", ".join(f"“{name}”" for name in dict.fromkeys(run.study for run in runs))
    if len(runs) == 1:
        return f"An earlier run is of {studies}, which no page here shows: its package may not be installed any more."
    return (
        f"{len(runs)} earlier runs are of {studies}, which no page here shows: the package may not be installed any "
        "more."
    )


def when(moment: datetime) -> str:
    """Time of day today, the date before."""
    local = moment.astimezone()
    return local.strftime("%H:%M") if local.date() == datetime.now().astimezone().date() else local.strftime("%d %b")
