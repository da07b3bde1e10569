"""The margin of the page, the same everywhere: the model, what is written over, earlier runs."""

from datetime import datetime
from typing import Any

import streamlit as st

from app.components import rail
from app.flow import escape
from app.history import Run
from app.services import rail_owner, services
from app.session import fill, session_id, spec
from app.studies import STUDIES

PAGES = {
    "trace": "../pages/trace.py",
    "average": "../pages/average.py",
    "lens": "../pages/lens.py",
    "facts": "../pages/models.py",
}


def margin() -> None:
    """Draw the sidebar."""
    with st.sidebar:
        st.markdown("#### Model")
        model_status()
        st.markdown("#### Written over")
        st.markdown(":gray[:small[Nothing yet: the model is as it was trained.]]")
        earlier_runs()


@st.fragment(run_every=1.0)
def _while_loading() -> None:
    _status()
    if spec() in services().models.cards:
        st.rerun()


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
        st.markdown(card["name"])
        st.markdown(
            f":gray[:small[{card['layers']} layers · {card['heads']} heads · {card['dtype']} · {device(card)}]]"
        )
        st.markdown(f":green-badge[:material/check: matches Hugging Face: {logit_difference(card)}]")
        return
    loading = next((job for job in reversed(made.worker.jobs()) if job.study is None and job.spec == spec()), None)
    known = made.card(spec())
    st.markdown(known["name"] if known else spec().source)
    if loading is not None and loading.state == "failed":
        st.markdown(f":red[:small[:material/error: {escape(loading.error or '')}]]")
        return
    note = loading.note if loading is not None and loading.note else "waiting"
    share = loading.share if loading is not None else 0.0
    st.progress(min(share, 1.0), text=f":small[Loading: {note}]")


def logit_difference(card: dict[str, Any]) -> str:
    """Largest logit difference to Hugging Face, as people write it."""
    difference = card["max_logit_difference_to_hugging_face"]
    return f"{difference:.1g}" if difference else "0.0"


def device(card: dict[str, Any]) -> str:
    """Device as people write it."""
    return card["device"].upper().replace("CUDA:", "GPU ")


def earlier_runs() -> None:
    """The rail: click to see a run again without running it, mark two to compare them."""
    runs = services().history.recent(rail_owner(session_id()))
    if not runs:
        return
    st.markdown("#### Earlier runs")
    marked: list[str] = st.session_state.setdefault("marked", [])
    items = [
        {"id": run.key, "title": run.title, "sub": f"{run.note} · {when(run.created_at)}", "thumb": run.thumbnail}
        for run in runs
    ]
    choice = rail(items, key="rail", current=st.session_state.get("shown"), marked=marked)  # type: ignore[arg-type]
    if choice and "mark" in choice:
        key = choice["mark"]
        st.session_state["marked"] = [k for k in marked if k != key] if key in marked else [*marked, key][-2:]
        st.rerun()
    elif choice:
        open_run(next(run for run in runs if run.key == choice["open"]))


def open_run(run: Run) -> None:
    """Show an earlier run: its form filled in, its result drawn from the store."""
    st.session_state["shown"] = run.key
    fill(run.study, STUDIES[run.study].request.model_validate(run.request))
    st.session_state[f"{run.study}.open"] = run.key
    st.session_state.pop(f"{run.study}.job", None)
    st.switch_page(PAGES[run.study])


def when(moment: datetime) -> str:
    """Time of day today, the date before."""
    local = moment.astimezone()
    return local.strftime("%H:%M") if local.date() == datetime.now().astimezone().date() else local.strftime("%d %b")
