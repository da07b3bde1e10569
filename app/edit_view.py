"""An edit as a person sees it: before and after, what else moved, how it was found, what to take away."""

from typing import Any

import numpy as np
import streamlit as st

from app.charts.bars import word_bars
from app.charts.edit_charts import scraped, search_curves
from app.charts.palette import live
from app.charts.words import percent
from app.components import answer, theme_seen, verse
from app.flow import escape
from app.take_edit import zipped
from editors.edit import Edit
from editors.probes import score
from editors.recipe import recipe_of

STILL = {"displayModeBar": False}
KIND_WORDS = {"paraphrase": "other words", "neighbour": "neighbour", "other": "same subject"}
CHECK, CROSS = ":green[:material/check:]", ":red[:material/close:]"
SUMS = {
    "paraphrase": "other wordings follow",
    "neighbour": "neighbours kept their answer",
    "other": "other facts of the subject kept",
}
FORM_WORDS = {"bundle": "Recipe", "peft": "LoRA adapter", "script": "Python script"}


def show(edit: Edit) -> None:
    """Everything about an edit."""
    fact = edit.request.facts[0]
    before, after = edit.before.said[0], edit.after.said[0]
    verse(fact.text, fact.subject, now=after, was=before if before != after else None, size="medium", key="edit-verse")
    _side_by_side(edit)
    for warning in edit.warnings:
        st.markdown(f":orange[:material/warning:] {escape(warning)}")
    probes(edit)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("### How the new answer was found")
        search(edit)
    with right:
        st.markdown("### How much of the page was scraped")
        _scraped(edit)


def _side_by_side(edit: Edit) -> None:
    glance = edit.glance
    sides = (
        ("Before", "under", edit.before, glance.before if glance else None, 1),
        ("After", "over", edit.after, glance.after if glance else None, 2),
    )
    limit = float(max(glance.before.max(), glance.after.max())) if glance else 1.0
    wanted = edit.request.facts[0].target
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
            for row in glance.texts:
                colour = "blue" if tone == "under" else "orange"
                st.markdown(f"{escape(row[0])} :{colour}[{escape(' '.join(row[text].split()))} …]")


def verdict(edit: Edit, index: int) -> tuple[str, str, bool]:
    """Icon, word and whether it is as wished, for one probe."""
    probe = edit.probes[index]
    if probe.kind in ("rewrite", "paraphrase"):
        held = bool(edit.after.new_greedy[index])
        return (CHECK, "follows", True) if held else (CROSS, "does not follow", False)
    if not edit.before.old_greedy[index]:
        moved = edit.before.said[index] != edit.after.said[index]
        return (CROSS, "moved", False) if moved else (CHECK, "kept", True)
    kept = bool(edit.after.old_greedy[index])
    return (CHECK, "kept", True) if kept else (CROSS, "moved", False)


def probes(edit: Edit) -> None:
    """Did it hold, and did anything else move?"""
    st.markdown("## Did it hold, and did anything else move?")
    rows = [index for index, probe in enumerate(edit.probes) if probe.kind in KIND_WORDS]
    if not rows:
        st.markdown(
            ":gray[There are no other wordings and neighbours stored for this fact; pick a stored fact to see them.]"
        )
        return
    table: dict[str, list[str]] = {"Verdict": [], "Prompt": [], "Before → after": []}
    for index in rows:
        probe, (icon, said, _) = edit.probes[index], verdict(edit, index)
        table["Verdict"].append(f"{icon} {said}")
        table["Prompt"].append(f":gray-badge[{KIND_WORDS[probe.kind]}] {escape(probe.prompt)}")
        old = f"{escape(edit.before.said[index])} {percent(float(edit.before.said_probability[index]))}"
        new = f"{escape(edit.after.said[index])} {percent(float(edit.after.said_probability[index]))}"
        same = edit.before.said[index] == edit.after.said[index]
        table["Before → after"].append(f":blue[{old}] → " + (f":blue[{new}]" if same else f":orange[{new}]"))
    st.table(table, hide_index=True, alt="Probes of the edit: verdict, prompt, answer before and after.")
    st.markdown(f":gray[:small[{_sums(edit)}]]")


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
    found = edit.found
    names = (edit.request.facts[0].target, edit.before.said[0])
    new, former = found.probability[:, 0], found.former[:, 0]
    steps = int((~np.isnan(new)).sum())
    figure = search_curves(new, former, names, max(steps, 2), live())
    last = float(new[steps - 1])
    st.plotly_chart(
        figure,
        key=f"edit-search-{theme_seen()}",
        alt=f"Search for the new value: {names[0]} rises to {percent(last)} in {steps} steps.",
        config=STILL,
    )
    loss = found.loss[:, 0]
    seconds = edit.provenance.get("seconds", 0.0)
    st.markdown(f":gray[:small[{steps} steps, {seconds:.1f} s in all. Loss {loss[0]:.2f} → {loss[steps - 1]:.2f}.]]")


def live_search(so_far: Any, names: tuple[str, str], steps: int) -> None:
    """The curve while it grows."""
    figure = search_curves(so_far.probability[:, 0], so_far.former[:, 0], names, steps, live())
    st.plotly_chart(figure, key=f"edit-live-{theme_seen()}", alt="The search for the new value so far.", config=STILL)


def _scraped(edit: Edit) -> None:
    palette = live()
    figure = scraped(edit.changes, edit.model["layers"], palette)
    said = ", ".join(f"layer {one.layer} {one.norm / one.weight_norm:.2%}" for one in edit.changes)
    st.plotly_chart(figure, key=f"edit-scraped-{theme_seen()}", alt=f"Size of the change: {said}.", config=STILL)
    ratio = edit.found.key_ratio[0]
    rho = f" ρ of the keys {ratio:.2f}." if ratio == ratio else ""
    moments = "".join(
        f" Second moments from {one['tokens']:,} tokens ({escape(str(one['corpus']))})."
        for one in edit.found.statistics[:1]
    )
    st.markdown(
        f":gray[:small[Rank {max(one.rank for one in edit.changes)}, in the MLP’s output matrix only."
        f"{moments}{rho} All other tensors are byte-identical; "
        "switching the edit off restores these byte for byte.]]"
    )


def take_away(edit: Edit) -> None:
    """The export panel."""
    recipe, payload = recipe_of(edit)
    with st.container(border=True, key="edit-take"):
        st.markdown("### Take it away")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            form = st.segmented_control(
                "As",
                list(FORM_WORDS),
                format_func=FORM_WORDS.__getitem__,
                default="bundle",
                required=True,
                key="edit-form-of",
                wrap=True,
            )
            st.download_button(
                "Download",
                lambda: zipped(edit, form or "bundle"),
                f"palimpsest-{edit.id[:8]}-{form}.zip",
                "application/zip",
                icon=":material/download:",
                type="primary",
                on_click="ignore",
                key="edit-download",
            )
        st.markdown(
            f":gray[:small[Recipe `{recipe['id'][:12]}`, {len(payload) / 1e3:,.0f} kB of numbers. Anyone with the same "
            "model can apply it; a checkpoint comes from the terminal: "
            "`palimpsest apply recipe.json --format hf --out DIR`.]]"
        )
