"""An edit as a person sees it: before and after, what else moved, how it was found, what to take away."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from analysis.text.boundary import goes_on
from app.charts.bars import word_bars
from app.charts.palette import live
from app.charts.prompt_kinds import PROMPT_KINDS
from app.charts.words import percent
from app.components import answer, theme_seen, verse
from app.exports.json_csv import for_sheets
from app.session import thoughts
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.session.standing import colour_of, marks
from app.studies.edit import captions
from app.studies.edit.figure import scraped, search_curves, search_of
from app.studies.edit.forms import forgetting
from editors.edit.edit import Edit
from editors.edit.probes import WANT_NEW, Probe, score
from editors.recipes.recipe import BROUGHT

STILL = {"displayModeBar": False}
SHOWN = 12
"""Rows of a table that is read at once; of more, those that went otherwise."""
CHECK, CROSS = ":green[:material/check:]", ":red[:material/close:]"
SUMS = {
    "paraphrase": "other wordings follow",
    "neighbour": "neighbours kept their answer",
    "other": "other facts of the subject kept",
}


def show(edit: Edit) -> None:
    """Before and after."""
    fact = edit.request.facts[0]
    before, after = edit.before.said[0], edit.after.said[0]
    verse(fact.text, fact.subject, now=after, was=before if before != after else None, size="medium", key="edit-verse")
    _origin(edit)
    _side_by_side(edit)
    _warnings(edit.warnings)
    forgetting.note(edit)
    facts(edit)


def beneath(edit: Edit) -> None:
    """What else became of the model, how the edit was found, and how large it is."""
    probes(edit)
    _protected(edit)
    if edit.found.loss.size:  # of silenced heads none: nothing was sought
        left, right = st.columns(2, gap="large")
        with left:
            mark = f" :gray-badge[{BROUGHT}]" if edit.brought else ""
            st.markdown(f"### How the new answer was found{mark}")
            search(edit)
        with right:
            st.markdown("### How much of the page was scraped")
            _scraped(edit)
    author = st.session_state.get(f"edit-author-{edit.id}", edit.author)  # who signs it makes it another recipe
    take_away(edit.by(author.strip()))


def _origin(edit: Edit) -> None:
    """Of an edit that was brought: that its answers are as its recipe says, whose key says so, and what to do."""
    lines = []
    if edit.brought and edit.measured:
        st.markdown(":gray[:small[What was seen while it was sought is as its recipe says, warnings included.]]")
    for icon, words in marks(edit):
        said = escape(f"{words[0].upper()}{words[1:]}.")
        if words == BROUGHT:
            said += " What stands below is as its recipe says. Press **Measure here** to ask it all "
            said += "anew on this machine, or **Write** to find the fact anew."
        lines.append(f":{colour_of(icon)}[:material/{icon}: {said}]")
    if lines:
        st.markdown("  \n".join(lines))


def _protected(edit: Edit) -> None:
    """Who was protected, by whatever means; nothing where nobody was."""
    asked = edit.request
    kept = (*(asked.others or ()), *(asked.neighbours or ()))
    told = {"by their keys": [one.line for one in asked.protected], "by what is said there": list(kept)}
    count = sum(map(len, told.values()))
    if not count:
        return
    with st.expander(f"{count} that must not move", icon=":material/shield:"):
        for how, lines in told.items():
            if lines:
                st.markdown(f":gray[{how}]\n" + "\n".join(f"- {escape(line)}" for line in lines))


def _warnings(sentences: list[str]) -> None:
    """What to beware of; of many sentences the first, and the rest to unfold."""
    for sentence in sentences[:2]:
        st.markdown(f":orange[:material/warning:] {escape(sentence)}")
    if rest := sentences[2:]:
        with st.expander(f"{len(rest)} more to beware of", icon=":material/warning:"):
            st.markdown("\n".join(f"- {escape(sentence)}" for sentence in rest))


def _side_by_side(edit: Edit) -> None:
    glance = edit.glance
    sides = (
        ("Before", "under", edit.before, glance.before if glance else None, 1),
        ("After", "over", edit.after, glance.after if glance else None, 2),
    )
    limit = float(max(glance.before.max(), glance.after.max())) if glance else 1.0
    fact = edit.request.facts[0]
    wanted = fact.target
    for column, (label, tone, answers, values, text) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            share = percent(float(answers.said_probability[0]))
            answer(label, answers.said[0], share, tone, key=f"edit-{label}")  # type: ignore[arg-type]
            if glance is None or values is None:
                continue
            new = next((name for name in glance.words if wanted.startswith(name)), wanted)
            figure = word_bars(
                glance.words, [float(v) for v in values], live(), before=glance.words[0], after=new, limit=limit
            )
            said = ", ".join(f"{name} {percent(float(v))}" for name, v in zip(glance.words, values, strict=True))
            st.plotly_chart(figure, key=f"edit-bars-{label}-{theme_seen()}", alt=f"{label}: {said}.", config=STILL)
            for number, row in enumerate(glance.texts):
                said = thoughts.draw(row[text])
                side = {"was" if tone == "under" else "now": f"{goes_on(row[0], said)} …"}
                verse(row[0], fact.subject, size="text", key=f"edit-goes-on-{label}-{number}", **side)


def verdict(edit: Edit, index: int) -> tuple[str, str, bool]:
    """Icon, word and whether it is as wished, for one probe."""
    probe = edit.probes[index]
    if probe.kind in WANT_NEW:
        held = bool(edit.after.new_greedy[index])
        return (CHECK, "follows", True) if held else (CROSS, "does not follow", False)
    if not edit.before.old_greedy[index]:
        moved = edit.before.said[index] != edit.after.said[index]
        return (CROSS, "moved", False) if moved else (CHECK, "kept", True)
    kept = bool(edit.after.old_greedy[index])
    return (CHECK, "kept", True) if kept else (CROSS, "moved", False)


def facts(edit: Edit) -> None:
    """All facts of an edit that writes several."""
    rows = [index for index, probe in enumerate(edit.probes) if probe.kind == "rewrite"]
    if len(rows) < 2:
        return
    held = sum(verdict(edit, index)[2] for index in rows)
    st.markdown(f"## All that was written: {held} of {len(rows)} follow")
    _verdicts(edit, rows, "Fact", lambda probe: f"{escape(probe.prompt)} **:orange[{escape(probe.new)}]**")


def probes(edit: Edit) -> None:
    """Did it hold, and did anything else move?"""
    st.markdown(f"## Did it hold, and did anything else move?{f' :gray-badge[{BROUGHT}]' if not edit.measured else ''}")
    rows = [index for index, probe in enumerate(edit.probes) if probe.kind in SUMS]
    if not rows:
        st.markdown(
            ":gray[There are no other wordings and neighbours stored for this fact; pick a stored fact to see them.]"
        )
        return
    if len(rows) > SHOWN:
        st.markdown(_sums(edit))
    _verdicts(edit, rows, "Prompt", lambda probe: f":gray-badge[{PROMPT_KINDS[probe.kind]}] {escape(probe.prompt)}")
    if len(rows) <= SHOWN:
        st.markdown(f":gray[:small[{_sums(edit)}]]")


def _verdicts(edit: Edit, rows: list[int], title: str, asked: Callable[[Probe], str]) -> None:
    """Verdict, what was asked, before → after. Of many rows, those that went otherwise, and all of them to unfold."""
    few = len(rows) <= SHOWN
    shown = rows if few else [index for index in rows if not verdict(edit, index)[2]][:SHOWN]
    table: dict[str, list[str]] = {"Verdict": [], title: [], "Before → after": []}
    for index in shown:
        icon, said, _ = verdict(edit, index)
        table["Verdict"].append(f"{icon} {said}")
        table[title].append(asked(edit.probes[index]))
        old, new = (escape(words) for words in _said(edit, index))
        same = edit.before.said[index] == edit.after.said[index]
        table["Before → after"].append(f":blue[{old}] → " + (f":blue[{new}]" if same else f":orange[{new}]"))
    if shown:
        st.table(table, hide_index=True, alt=f"{title}: verdict, and what was answered before and after.")
    if not few:
        with st.expander(f"All {len(rows)}, one a row", icon=":material/table:"):
            whole = pd.DataFrame(
                {
                    "Verdict": [verdict(edit, index)[1] for index in rows],
                    title: [edit.probes[index].prompt for index in rows],
                    "Kind": [PROMPT_KINDS[edit.probes[index].kind] for index in rows],
                    "Before → after": [" → ".join(_said(edit, index)) for index in rows],
                }
            )
            st.dataframe(for_sheets(whole), hide_index=True, key=f"edit-all-{title}")


def _said(edit: Edit, index: int) -> tuple[str, str]:
    """What was answered before and after, with its probability."""
    before, after = (
        f"{answers.said[index]} {percent(float(answers.said_probability[index]))}"
        for answers in (edit.before, edit.after)
    )
    return before, after


def _sums(edit: Edit) -> str:
    parts = []
    for kind, words in SUMS.items():
        own = [index for index, probe in enumerate(edit.probes) if probe.kind == kind]
        if own:
            parts.append(f"{sum(verdict(edit, index)[2] for index in own)} of {len(own)} {words}")
    likelier = score(edit.probes, edit.after, "paraphrase")
    note = (
        f" Comparing likelihoods only, {percent(likelier.likelier)} of the wordings follow (paraphrase score)."
        if likelier
        else ""
    )
    return "; ".join(parts) + "." + note


def search(edit: Edit) -> None:
    """The curve of the search."""
    new = edit.found.probability[:, 0]
    steps = int((~np.isnan(new)).sum())
    figure = search_of(edit, live())
    last = float(new[steps - 1])
    st.plotly_chart(
        figure,
        key=f"edit-search-{theme_seen()}",
        alt=f"Search for the new value: {edit.request.facts[0].target} rises to {percent(last)} in {steps} steps.",
        config=STILL,
    )
    st.markdown(captions.search(edit))


def live_search(so_far: Any) -> None:
    """The curve while it grows, of the first fact searched now."""
    new, former = so_far.probability[:, 0], so_far.former[:, 0]
    figure = search_curves(new, former, so_far.names[0], so_far.steps, live())
    now = [
        (name, float(values[~np.isnan(values)][-1]))
        for name, values in zip(so_far.names[0], (new, former), strict=True)
    ]
    said = ", ".join(f"{name} {percent(value)}" for name, value in now)
    st.plotly_chart(figure, key=f"edit-live-{theme_seen()}", alt=f"The search so far: {said}.", config=STILL)


def _scraped(edit: Edit) -> None:
    palette = live()
    figure = scraped(edit.changes, edit.model["layers"], palette)
    said = ", ".join(f"layer {one.layer} {one.norm / one.weight_norm:.2%}" for one in edit.changes)
    st.plotly_chart(figure, key=f"edit-scraped-{theme_seen()}", alt=f"Size of the change: {said}.", config=STILL)
    st.markdown(captions.scraped(edit))
