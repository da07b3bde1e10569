"""Every run of a visitor that waits or goes on, in the margin: from any page it can be looked at, and ended."""

import time

import streamlit as st

from app.charts.words import duration
from app.components.pulse import pulse
from app.jobs.job import Job
from app.jobs.services import public, services
from app.registry.studies import ENTRIES
from app.session.fields import fill, session_id
from app.session.pace import pause
from app.session.run_flow import escape

EVERY = 2.0
"""Seconds between two looks at the list, at least."""
LONGEST = 40
"""Characters of what a run is about."""


def going_on(pages: dict[str, str]) -> None:
    """The list, redrawn by itself while there is something on it; `pages` are the pages of studies."""
    st.session_state["going_on"] = bool(_jobs())
    st.fragment(_list)(pages)


def _jobs() -> list[Job]:
    """A visitor's open runs; on one's own machine those of every tab."""
    mine = session_id()
    return [
        job
        for job in services().worker.jobs()
        if job.study is not None and not job.over and (not public() or mine in job.owners)
    ]


def _list(pages: dict[str, str]) -> None:
    begun, jobs = time.thread_time(), _jobs()
    if bool(jobs) != st.session_state.get("going_on"):
        st.rerun()
    if not jobs:
        return
    st.markdown("#### Going on")
    for number, job in enumerate(jobs):
        _row(job, number, pages)
    cost = time.thread_time() - begun
    pulse(pause(f"{session_id()} margin", cost, shortest=EVERY, left=jobs[0].seconds_left), key="going-pulse")


def _row(job: Job, number: int, pages: dict[str, str]) -> None:
    assert job.study is not None and job.request is not None
    page = pages.get(job.study.name)
    word = ENTRIES[job.study.name].page.capitalize() if page else job.study.name
    text, look, end = st.columns([4.4, 0.9, 0.9], gap="xsmall", vertical_alignment="center")
    text.markdown(f"{escape(about(job))}  \n:gray[:small[{word} · {_state(job)}]]")
    if page and look.button(
        "", icon=":material/visibility:", type="tertiary", key=f"going-look-{number}", help=f"Look at it on {word}"
    ):
        fill(job.study.name, job.request)
        st.switch_page(page)
    end.button(
        "", icon=":material/close:", type="tertiary", key=f"going-end-{number}", help="Cancel it", on_click=_end,
        args=(job,),
    )  # fmt: skip


def about(job: Job) -> str:
    """What a run is about, in a few words of its request."""
    said = job.request.model_dump(mode="json") if job.request is not None else {}
    facts = said.get("facts") if isinstance(said.get("facts"), list) else None
    prompt = said.get("prompt")
    text = said.get("subject") or (facts[0]["subject"] if facts else None) or prompt
    text = text[0] if isinstance(text, list) else text
    for name in ("cases", "chains", "facts"):
        if not text and name in said:
            count = len(said[name]) if isinstance(said[name], list) else said[name]
            text = f"{count} {name}"
    text = str(text or (job.study.name if job.study is not None else "")).strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _state(job: Job) -> str:
    if job.state == "waiting":
        ahead = len(services().worker.ahead(job))
        until = services().worker.seconds_until(job)
        about = f", about {duration(until)}" if until else ""
        return f"waits, {ahead} ahead{about}" if ahead else "waits"
    left = job.seconds_left
    return f"{job.share:.0%}" + (f", {duration(left)} left" if left is not None else "")


def _end(job: Job) -> None:
    """On one's own machine for every tab that looks at it, elsewhere for oneself."""
    for owner in [session_id()] if public() else list(job.owners | {session_id()}):
        services().worker.leave(job, owner)
