"""From a button to a result, the same for every study: submit, wait in line, progress, cancel, stopped, failed."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from analysis import WorkbenchError
from analysis.errors import BadRequest
from analysis.model.capabilities import lacking
from analysis.study import Request, Study
from analysis.text.chat import in_chat
from analysis.text.framing import PLAIN, Prompted
from analysis.text.tokens import Tokens, encode, find_text
from app.charts.marked import escape as escape
from app.charts.words import duration
from app.components.pulse import pulse
from app.jobs.job import Job
from app.jobs.services import public, rail_owner, services
from app.session import limits
from app.session.edit_stack import on
from app.session.fields import session_id, slot, spec
from app.session.pace import pause
from editors.edit.edit import Edit

ORDINAL = ("First", "Second", "Third", "Fourth", "Fifth")


MOMENT = 1.5
"""Seconds a page may wait for the first part of a result."""


def _refuse_absent(request: Request) -> None:
    """Raise `SubjectNotFound` where a prompt does not hold its subject, which no tokenizer need say."""
    prompt, subject = getattr(request, "prompt", None), getattr(request, "subject", None)
    if isinstance(prompt, str) and isinstance(subject, str):
        find_text(prompt, subject, occurrence=getattr(request, "occurrence", 0))


def _refuse(request: Request) -> None:
    """Raise `BadRequest` for what is wrong with a request, before it waits in line: all once the tokenizer is here."""
    tokenizer = services().models.tokenizers.get(spec())
    if tokenizer is None:
        _refuse_absent(request)
        return
    put = request if isinstance(request, Prompted) else PLAIN

    def read(prompt: str) -> Tokens:
        if put.chat is None:
            return encode(tokenizer, prompt, put.boundary)
        return in_chat(tokenizer, [prompt], put.chat, boundary=put.boundary)

    request.refuse(read)


def start(page: str, study: Study, request: Request, edits: tuple[Edit, ...] | None = None) -> Job:
    """Queue a run for this visitor, in place of an unfinished one of the same page; `BadRequest` if it is too long.

    It runs under the edits that are on now, unless others are named.
    """
    if public():
        try:
            limits.refuse(services(), study, request, spec())
        except BadRequest as error:
            st.session_state["refused"] = str(error)
            raise
    if reason := lacked(request.needs()):
        raise BadRequest(reason)
    _refuse(request)
    stop(page)
    st.session_state.pop(f"{page}.opened", None)
    st.session_state.pop("written.refusal", None)
    job = services().worker.submit(study, request, spec(), session_id(), on() if edits is None else edits)
    st.session_state[f"{page}.job"] = job
    return job


def barred(page: str, study: Study) -> str | None:
    """Why the model in memory cannot run a study as its form stands; None where it can, or none is loaded yet."""
    asked = {name: st.session_state.get(slot(page, name)) for name in study.request.model_fields}
    form = study.request.model_construct(**{name: value for name, value in asked.items() if value})
    return lacked(form.needs())


def lacked(needs: tuple[str, ...]) -> str | None:
    """The sentence that says what of `needs` the model in memory lacks; None where nothing, or none is loaded yet."""
    card = services().models.cards.get(spec())
    return lacking(needs, card["capabilities"], card["name"]) if card else None


def go(where: Any, page: str, study: Study, label: str, *, disabled: bool = False, **options: Any) -> bool:
    """The button that starts a study, drawn in `where`; greyed, with the reason, where the model cannot run it."""
    reason = barred(page, study)
    pressed = where.button(label, disabled=disabled or reason is not None, wrap=True, **options)
    if reason is not None:
        st.markdown(f":orange[:material/block: {escape(reason)}]")
    return bool(pressed)


def first_part(page: str) -> None:
    """Wait a moment for a run that has just begun to have something to show: quicker than drawing the page twice."""
    job, end = job_of(page), time.monotonic() + MOMENT
    while job is not None and not job.over and job.partial is None and time.monotonic() < end:
        if services().worker.ahead(job) or spec() not in services().models.cards:
            return
        time.sleep(0.02)


def job_of(page: str) -> Job | None:
    """The job this visitor started on a page, until it is put away."""
    return st.session_state.get(f"{page}.job")


def join(page: str, study: Study, request: Request | None, edits: tuple[Edit, ...] | None = None) -> bool:
    """Look at the run of this very request that waits or goes on, whoever began it: before a reload, in another tab.

    Not one this visitor has given up, nor while the page has an open run of its own. True if one was joined now.
    """
    if request is None or ((own := job_of(page)) is not None and not own.over):
        return False
    job = services().worker.going(study, request, spec(), on() if edits is None else edits)
    if job is None or session_id() in job.left_by:
        return False
    services().worker.join(job, session_id())
    st.session_state[f"{page}.job"] = job
    return True


def stop(page: str) -> None:
    """Leave the line, or end the run."""
    job = job_of(page)
    if job is not None and not job.over:
        services().worker.leave(job, session_id())
        if not job.cancelled.is_set():  # it goes on for others
            put_away(page)


def put_away(page: str) -> None:
    """Forget an ended job; its result stays in the store."""
    st.session_state.pop(f"{page}.job", None)


def result_for(page: str, study: Study, request: Request | None, edits: tuple[Edit, ...] | None = None) -> Any | None:
    """What there is to show for a request: the running job's part, the finished or the stopped result."""
    job = job_of(page)
    edits = on() if edits is None else edits
    if job is not None and job.asked[1:] == (request, spec(), tuple(edit.key for edit in edits)) and job.study is study:
        made = job.result if job.result is not None else job.partial
        if made is not None:
            return made
    if request is None:
        return None
    if (kept := st.session_state.get(f"{page}.opened")) and kept[0] == request:
        return services().store.load(study, kept[1]) or services().store.load(study, kept[1], stopped=True)
    found = services().find(study, request, spec(), edits)
    return found or services().find(study, request, spec(), edits, stopped=True)


def follow(
    page: str,
    study: Study,
    request: Request | None,
    unit: str | None,
    *,
    edits: tuple[Edit, ...] | None = None,
    preview: bool = False,
    priced: bool = True,
) -> Any | None:
    """A run as its page shows it, all but the figure: how far it is, what became of it, and what there is to show.

    `unit` is what is counted, None where the run itself says so. `priced`: say before it begins what it takes.
    """
    join(page, study, request, edits)
    settle(page)
    progress(page, unit, preview=preview)
    if elsewhere(page, edits):
        st.markdown(":gray[This run began under other edits than are on now. Its figure shows when they are on again.]")
    ended(page)
    result = result_for(page, study, request, edits)
    if (job := job_of(page)) is None or job.over:
        if result is None and request is not None:
            if priced:
                price(study, request)
            _stored_without(page, study, request, on() if edits is None else edits)
        elif result is not None:
            _halted(page, study, result, unit, edits)
    return result


def elsewhere(page: str, edits: tuple[Edit, ...] | None = None) -> bool:
    """Whether the run of the page that waits or goes on is under other edits than those asked about, or on now."""
    job, asked = job_of(page), on() if edits is None else edits
    return job is not None and not job.over and [one.key for one in job.edits] != [one.key for one in asked]


def nothing_yet(page: str, text: str) -> None:
    """What to press, where there is nothing to show; not while a run of the page waits or goes on."""
    if (job := job_of(page)) is None or job.over:
        st.markdown(text)


def _stored_without(page: str, study: Study, request: Request, edits: tuple[Edit, ...]) -> None:
    """A word on the result that lies in the store for the model without the edits that are on."""
    if not edits or study.on_edits or (key := services().key(request, spec())) is None:
        return
    if services().store.load(study, key) is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"{page}-without"):
        which = "The edit in the margin is on" if len(edits) == 1 else f"{len(edits)} edits in the margin are on"
        st.markdown(
            f":gray[:material/layers: {which}. A result of the model as it was trained is stored.]", width="content"
        )
        st.button("Show it", key=f"{page}-show-without", type="tertiary", on_click=opened, args=(page, request, key))


def _halted(page: str, study: Study, result: Any, unit: str | None, edits: tuple[Edit, ...] | None) -> None:
    """A result that was stopped: what there is, what is not, and the ways on."""
    job, key = job_of(page), services().key(result.request, spec(), on() if edits is None else edits)
    just_now = job is not None and job.state == "stopped" and (job.result is result or job.partial is result)
    if not just_now and not (key and services().store.stopped(key)) and getattr(result, "complete", True):
        return
    told = "Stopped. What was computed is shown"
    if (cells := getattr(result, "cells", None)) is not None:
        told = f"Stopped after {cells[0]:,} of {cells[1]:,} {unit or 'steps'}. What was computed is shown"
    with st.container(border=True, key=f"{page}-stopped"):
        st.markdown(f":orange[:material/pause_circle:] {told}.")
        with st.container(horizontal=True):
            st.button(
                "Continue" if study.resumable or study.parts else "Start again",
                type="primary",
                key=f"{page}-continue",
                on_click=_continue,
                args=(page, study, result.request, edits),
            )
            st.button(
                "Discard", type="tertiary", key=f"{page}-discard", on_click=_discard,
                args=(page, study, result.request, edits),
            )  # fmt: skip


def opened(page: str, request: Request, key: str) -> None:
    """From now on show this stored result for the request, whatever edits are on."""
    st.session_state[f"{page}.opened"] = (request, key)


def settle(page: str) -> None:
    """Let the whole page know that a job has ended, or was begun by a button in the part that redraws itself."""
    job = job_of(page)
    if job is not None and job.over == bool(st.session_state.get(f"{page}.watching")):
        st.session_state[f"{page}.watching"] = False
        st.rerun()


def watch(page: str, outcome: Callable[[], None], also: tuple[str, ...] = ()) -> None:
    """Draw `outcome`, again and again while a job of the page, or of one in `also`, goes on."""

    def open_jobs() -> list[str]:
        return [name for name in (page, *also) if (job := job_of(name)) is not None and not job.over]

    def drawn() -> None:
        begun = time.thread_time()
        outcome()
        if going := open_jobs():
            job = job_of(going[0])
            left = None if job is None else 0.0 if job.cancelled.is_set() else job.seconds_left
            pulse(pause(session_id(), time.thread_time() - begun, left=left), key=f"{page}-pulse")

    for name in open_jobs():
        st.session_state[f"{name}.watching"] = True
    st.fragment(drawn)()


def refusal(error: WorkbenchError) -> None:
    """A sentence beside the field, with an icon; nothing is lost."""
    st.markdown(f":red[:material/error: {escape(str(error))}]")


def progress(page: str, unit: str | None, *, preview: bool = False) -> None:
    """The line above a figure while its run waits or goes on; draws nothing otherwise.

    `unit` is what is counted, None where the run itself says so.
    """
    job = job_of(page)
    if job is None or job.over:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"{page}-progress"):
        if job.cancelled.is_set():
            st.progress(min(1.0, job.share), text="It is being stopped.")
            return
        ahead = services().worker.ahead(job)
        loading = [other for other in ahead if other.study is None]
        if loading and len(ahead) == 1:
            st.progress(0.0, text=_loading_text(loading[0]))
            label = "Cancel"
        elif job.state == "waiting":
            st.progress(0.0, text=_line_text(job, ahead))
            label = "Leave the line"
        else:
            st.progress(min(1.0, job.share), text=_progress_text(job, unit, preview))
            label = "Cancel"
        st.button(
            label,
            key=f"{page}-cancel",
            icon=":material/close:",
            type="tertiary",
            on_click=stop,
            args=(page,),
            wrap=False,
        )


def _line_text(job: Job, ahead: list[Job]) -> str:
    """Where a run stands, and how long until its turn; those who come later may each put one short run before it."""
    place = ORDINAL[len(ahead)] if len(ahead) < len(ORDINAL) else f"Number {len(ahead) + 1}"
    left = services().worker.seconds_until(job)
    about = f", about {duration(left)}" if left else ""
    others = "One run" if len(ahead) == 1 else f"{len(ahead)} runs"
    before = f" {others} ahead of you{about}." if ahead else ""
    own = f" Yours takes about {duration(job.turn.seconds)}." if job.turn.seconds else ""
    return f"{place} in line.{before}{own}"


def price(study: Study, request: Request) -> None:
    """What a run is expected to take, before it begins; on a public server also why it would be refused."""
    try:
        if public():
            limits.refuse(services(), study, request, spec())
    except BadRequest as error:
        if st.session_state.pop("refused", None) != str(error):  # else it was said when the button was pressed
            refusal(error)
        return
    if (seconds := services().seconds(study, request, spec())) is not None:
        st.markdown(f":gray[:small[:material/timer: This run takes about {duration(seconds)} here.]]")


def _progress_text(job: Job, unit: str | None, preview: bool) -> str:
    if job.key is None:
        return _loading_text(job)
    if not job.total:
        left = job.seconds_left
        return "The prompt is being read." + (f" All of it takes about {duration(left)}." if left else "")
    left = job.seconds_left
    rest = f", {duration(left)} left" if left is not None else ""
    sketch = " The figure shows the preview until then." if preview else ""
    return f"{job.done} of {job.total} {unit or escape(job.note)}{rest}.{sketch}"


def _loading_text(job: Job) -> str:
    return f"The model is being loaded: {escape(job.note)}." if job.note else "The model is being loaded."


def ended(page: str) -> None:
    """What became of a job that did not finish, with what can be done about it."""
    job = job_of(page)
    if job is None or not job.over:
        return
    shown = job.result is not None or (job.study is not None and isinstance(job.partial, job.study.result))
    if job.state == "failed":
        st.error(escape(job.error or ""), icon=":material/gpp_bad:")
    elif job.state == "stopped" and not shown:
        told = "Stopped before anything was computed."
        if job.study is not None and job.study.parts:
            told = "Stopped. What was done until then is stored; asked again, it goes on from there."
        st.markdown(f":orange[:material/pause_circle:] {told}")


def _continue(page: str, study: Study, request: Request, edits: tuple[Edit, ...] | None) -> None:
    put_away(page)
    start(page, study, request, edits)


def _discard(page: str, study: Study, request: Request, edits: tuple[Edit, ...] | None) -> None:
    put_away(page)
    key = services().key(request, spec(), on() if edits is None else edits)
    if key is not None:
        services().store.discard(key)
        services().history.forget(rail_owner(session_id()), key)
