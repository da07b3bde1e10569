"""Two results side by side, of whatever studies: a run and an example, two prompts, two methods, two models.

A result is named by its study and key, so that a link says both. Two traces share one scale; anything else keeps its
own, and its panels stand beside those of the other where both have them.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis.errors import WorkbenchError
from app.charts.marked import escape
from app.charts.palette import live
from app.charts.panels import Panel, caption, panels
from app.components import theme_seen
from app.exports.heading import heading, is_key
from app.exports.tables import table
from app.jobs.services import rail_owner, services
from app.registry.studies import STUDIES, entry_of
from app.session.fields import session_id
from app.shell.gallery import examples

STILL = {"displayModeBar": False}
ROWS = 200
"""Rows of a table that are laid beside another's; the whole stands on the result's own page."""


@dataclass(frozen=True)
class Kept:
    """A stored result that can be chosen."""

    study: str
    key: str
    title: str

    @property
    def name(self) -> str:
        """What a link says of it."""
        return f"{self.study}:{self.key}"


def to_choose_from() -> dict[str, Kept]:
    """This visitor's earlier runs, newest first, then the examples; by name."""
    runs = services().history.recent(rail_owner(session_id()), 100)
    found = [Kept(run.study, run.key, f"{run.title} · {run.note} · {run.model}") for run in runs]
    model = services().shipped["model"]
    for one in examples():
        key = one.request.key(model["weights_hash"])
        found.append(Kept(one.study, key, f"{one.title} · example · {model['name']}"))
    return {kept.name: kept for kept in found}


def result_of(name: str | None) -> Any | None:
    """The stored result of a name, None where there is none."""
    study, _, key = (name or "").partition(":")
    if study not in STUDIES or not is_key(key):
        return None
    store = services().store
    with suppress(WorkbenchError):  # of a package that cannot be read; `missing` says so
        return store.load(STUDIES[study], key) or store.load(STUDIES[study], key, stopped=True)
    return None


def missing(name: str) -> str:
    """Why the result of a name cannot be shown."""
    study = name.partition(":")[0]
    if study and study not in STUDIES:
        return f"The result is of a study “{study}”, which is not on this server: its package may not be installed."
    try:
        if study:
            STUDIES[study]
    except WorkbenchError as error:
        return str(error)
    return "The link leads to a result that is not on this server."


def show(left: Any, right: Any) -> None:
    """Both results."""
    for column, result in zip(st.columns(2, gap="large"), (left, right), strict=True):
        over = heading(result)
        with column:
            st.markdown(f"### {escape(over.question)}")
            st.markdown(f"{escape(over.asked)}  \n:gray[:small[{escape(over.model)}]]")
    entry = entry_of(left)
    if entry.compare and entry.gives(type(right)):
        entry.read("compare")([left, right])
    else:
        _panels(left, right)
    _tables(left, right)


def _panels(left: Any, right: Any) -> None:
    drawn = [panels(result, live()) for result in (left, right)]
    for number in range(max(map(len, drawn))):
        for side, column in enumerate(st.columns(2, gap="large")):
            if number < len(drawn[side]):
                with column:
                    _panel(drawn[side][number], f"compare-{side}-{number}")
    for result, column in zip((left, right), st.columns(2, gap="large"), strict=True):
        if below := caption(result):
            column.markdown(f":gray[:small[{below}]]")


def _panel(panel: Panel, key: str) -> None:
    if panel.title:
        st.markdown(f"**{panel.title}**")
    st.plotly_chart(panel.figure, key=f"{key}-{theme_seen()}", config=STILL, alt=panel.title or "Figure of the result.")
    if panel.note:
        st.markdown(f":gray[:small[{panel.note}]]")


def _tables(left: Any, right: Any) -> None:
    with st.expander("The numbers as tables", icon=":material/table:"):
        for side, (result, column) in enumerate(zip((left, right), st.columns(2, gap="large"), strict=True)):
            rows = table(result)
            column.dataframe(rows.head(ROWS), hide_index=True, key=f"compare-table-{side}")
            if len(rows) > ROWS:
                column.markdown(f":gray[:small[The first {ROWS} of {len(rows):,} rows.]]")
