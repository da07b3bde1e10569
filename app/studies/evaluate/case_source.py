"""Where cases come from: facts of the assets, or a file dropped on the page, read at once and told row by row."""

from typing import Any

import pandas as pd
import streamlit as st

from analysis import KnownRequest, read_facts
from analysis.errors import BadRequest
from app.charts.prompt_kinds import TITLES
from app.exports.json_csv import for_sheets
from app.jobs.processes.apart import apart
from app.jobs.services import public, services
from app.registry.studies import STUDIES
from app.session import chat_form
from app.session.fields import lasting, spec
from app.session.run_flow import escape
from app.terminal.case_words import held_words, kept_words, read_words
from editors.cases.case import Case, counted, own_cases
from editors.cases.file_reader import CaseFile
from editors.cases.files import COLUMNS, NEEDED, case_file, columns_of, usable
from editors.cases.prompts import LeftOut
from editors.cases.record import GIVE_ONE

OWN, FILE = "Our facts", "A file of mine"
LARGEST, LARGEST_PUBLIC = 64, 5
"""Megabytes a file may have."""
SHOWN = 12
KINDS = ["json", "jsonl", "ndjson", "csv", "tsv", "txt"]
ASKED = (
    "CounterFact, EVOKE, zsRE, MQuAKE, RippleEdits, KnowEdit, WikiBigEdit, SADR, known_1000, HalluEditBench, "
    "ConflictQA, EasyEdit or our own JSON; a table as CSV"
)


def draw(page: str) -> tuple[Case, ...]:
    """The choice and, for a file, what is in it; raises `BadRequest` where there are no cases."""
    chosen = st.segmented_control("Cases from", (OWN, FILE), **lasting(f"{page}-source"), default=OWN, required=True)
    if chosen != FILE:
        return _own(page)
    file = st.file_uploader(
        ASKED,
        KINDS,
        max_upload_size=LARGEST_PUBLIC if public() else LARGEST,
        key=f"{page}-file",
    )
    if file is None:
        raise BadRequest("Drop a file of cases here, or choose our facts.")
    data = file.getvalue()
    mapping = _mapping(page, file.name, data)
    found = _read(page, file.name, data, mapping, None)
    if any(GIVE_ONE in problem for problem in found.problems) and (answer := _new_answer(page)):
        found = _read(page, file.name, data, mapping, answer)
    _report(found)
    return usable(found).cases


def _read(page: str, name: str, data: bytes, mapping: dict[str, str], answer: str | None) -> CaseFile:
    """The file, read once: a page is drawn again at every click."""
    key = (name, hash(data), tuple(mapping.items()), answer)
    kept: dict[Any, CaseFile] = st.session_state.get(f"{page}.read", {})
    if key not in kept:
        kept = {**dict(list(kept.items())[-1:]), key: apart(case_file, name, data, mapping, answer, size=len(data))}
        st.session_state[f"{page}.read"] = kept
    return kept[key]


def _new_answer(page: str) -> str:
    """What is written where a record says nothing new and has no other of its relation."""
    return st.text_input(
        "New answer for records that say none and have no other of their relation", **lasting(f"{page}-new-answer")
    ).strip()


def _own(page: str) -> tuple[Case, ...]:
    """Facts of the assets, relations in turn; those the model knows, once it has been asked."""
    asked = services().find(STUDIES["facts"], KnownRequest(chat=chat_form.value(page)), spec(), ())
    sure = set(asked.known(0.3)) if asked is not None else None
    return tuple(own_cases(fact for fact in read_facts() if sure is None or fact.id in sure))


def _mapping(page: str, name: str, data: bytes) -> dict[str, str]:
    """For a table whose columns have other names: which stands for which."""
    header = columns_of(name, data)
    if not header or set(NEEDED) <= {column.casefold() for column in header}:
        return {}
    st.markdown("**Which column is which?**")
    mapping: dict[str, str] = {}
    for start in range(0, len(COLUMNS), 4):
        for place, column in zip(st.columns(4), COLUMNS[start : start + 4], strict=False):
            at, key = header.index(column) if column in header else None, f"{page}-map-{column}"
            if st.session_state.get(key) not in header:  # chosen for another file
                st.session_state.pop(key, None)
            picked = place.selectbox(column, header, index=at, **lasting(key), placeholder="none")
            if picked is not None:
                mapping[column] = picked
    if missing := [column for column in NEEDED if column not in mapping]:
        raise BadRequest(f"Say which column is the {' and the '.join(missing)}.")
    return mapping


def _report(found: CaseFile) -> None:
    """What was read, what is left out, and everything that is wrong or odd."""
    read = f"**{escape(found.name)}**: {escape(read_words(found))}"
    st.markdown(f":green[:material/check:] {read}" if not found.problems else f":orange[:material/info:] {read}")
    st.markdown(f":gray[{escape(kept_words(found))} The file holds {escape(held_words(found))}.]")
    for title, lines, icon in (
        (f"{counted(found.faulty, 'record')} with faults, left out", found.problems, ":red[:material/close:]"),
        (f"{counted(found.out, 'prompt')} left out, and why", found.left_out, ":gray[:material/filter_alt:]"),
        (f"{counted(len(found.conflicts), 'conflict')}: one fact, two answers", found.conflicts,
         ":orange[:material/alt_route:]"),
        (counted(len(found.duplicates), "duplicate"), found.duplicates, ":orange[:material/content_copy:]"),
        ("Chosen in reading", found.notes, ":gray[:material/info:]"),
    ):  # fmt: skip
        if lines:
            with st.expander(f"{icon} {title}"):
                st.dataframe(for_sheets(_table(lines)), hide_index=True, width="stretch")
    if found.cases:
        with st.expander("The first cases"):
            st.dataframe(for_sheets(pd.DataFrame(_first(found))), hide_index=True, width="stretch")


def _table(lines: tuple[str, ...] | tuple[LeftOut, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"where and what": one}
            if isinstance(one, str)
            else {"prompts": one.prompts, "field": one.field, "why": one.reason, "first in": ", ".join(one.rows)}
            for one in lines
        ]
    )


def _first(found: CaseFile) -> list[dict[str, object]]:
    return [
        {
            "prompt": case.rewrite.text,
            "was": case.olds[0] or "–",
            "becomes": case.rewrite.target,
            **{TITLES[kind]: case.count(kind) for kind in TITLES if kind != "rewrite"},
        }
        for case in found.cases[:SHOWN]
    ]
