"""Memory against page as a person sees it: the map, who wins, one head's card, the roads."""

import re
from typing import Any

import numpy as np
import streamlit as st

from analysis import ConflictResult, HeadsResult, KnockoutResult
from analysis.internals.head_names import head_name, head_shown, parse_head
from analysis.knowledge_conflict.result import SIDES
from analysis.text.finding import occurrences
from app.charts.bars import word_bars
from app.charts.palette import live
from app.charts.words import percent, word
from app.components import theme_seen, verse
from app.session import edit_stack
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.conflict import captions
from app.studies.conflict import figure as conflict_charts
from app.studies.conflict.figure import conflict_map, knockout_curves, map_alt, writes_bars
from app.studies.conflict.panels import ROADS
from editors.cases.case import counted
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite

STILL = {"displayModeBar": False}
PAGE_WORDS = {"memory": "memory", "context": "page"}
COLOUR = {"memory": "blue", "context": "orange"}
Head = tuple[int, int]


def pruned(edits: tuple[Edit, ...]) -> list[Head]:
    """Heads that edits which are on silence."""
    return [parse_head(name) for edit in edits if edit.request.silences for name in edit.request.heads]


def others(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Edits that are no silenced heads: the page shows which heads speak before any is silenced."""
    return tuple(edit for edit in edits if not edit.request.silences)


def opening(result: HeadsResult) -> None:
    """The verse, and the sentence that explains both colours."""
    asked, alone = result.request, percent(float(result.clean_probability[0]))
    said = word(result.spans(result.grid_top_ids[0, 0])[0])
    if conflict_charts.begins(said, result.memory):
        verse(asked.prompt, asked.subject, was=result.memory, size="medium", key="heads-verse")
    else:
        now = result.context if conflict_charts.begins(said, result.context) else said
        verse(asked.prompt, asked.subject, now=now, was=result.memory, size="medium", key="heads-verse")
    st.markdown(
        f"The model remembers :blue[{escape(result.memory)}] ({alone} without the page). The page in front of it says "
        f":orange[{escape(result.context)}]. Each square is one attention head: blue heads speak for memory, orange "
        "heads for the page."
    )
    for note in result.notes:
        st.markdown(f":orange[:material/warning:] {escape(note)}")


def the_map(result: HeadsResult, many: ConflictResult | None) -> None:
    """The map of all heads, of this prompt or over many facts."""
    of_many = False
    if many is not None and many.scores.memory.shape == result.scores.memory.shape:
        count = sum(one.part == "find" for one in many.examples)
        choice = st.segmented_control(
            "Heads as they act",
            ["prompt", "many"],
            format_func={"prompt": "on this prompt", "many": f"on average over {counted(count, 'fact')}"}.__getitem__,
            default="prompt",
            required=True,
            key="heads-of",
        )
        of_many = choice == "many"
    source: Any = many if of_many else result
    selected = settle(result)
    silenced = [*pruned(edit_stack.on()), *_by_sliders(result)]
    figure = conflict_map(source.scores, live(), rank_by=source.request.rank_by, selected=selected, silenced=silenced)
    key = f"heads-map-{theme_seen()}"
    st.plotly_chart(
        figure,
        key=key,
        alt=map_alt(source.scores, source.memory_heads, source.context_heads),
        config=STILL,
        on_select=lambda: _choose(key),
        selection_mode="points",
    )
    st.markdown(captions.heads(source.scores))
    take_away(result)


def _choose(key: str) -> None:
    points = st.session_state[key].selection.points
    if points:
        st.session_state["heads.head"] = (int(points[0]["x"]), int(points[0]["y"]))


def settle(result: HeadsResult) -> Head:
    """The head the card is about: the chosen one, else the strongest for memory."""
    layers, heads = result.scores.memory.shape
    head = st.session_state.get("heads.head")
    if head is None or not (0 <= head[0] < layers and 0 <= head[1] < heads):
        named = result.memory_heads or result.context_heads
        head = parse_head(named[0]) if named else (layers - 1, 0)
        st.session_state["heads.head"] = head
    return head


def who_wins(result: HeadsResult, many: ConflictResult | None) -> list[Head]:
    """Two sliders directly over what they move; returns the heads that are silenced by them."""
    st.markdown("## Who wins?")
    ks = []
    most = result.grid_probability.shape
    for column, side, count in zip(st.columns(2, gap="large"), SIDES, most[:2], strict=True):
        label = f"Silence :{COLOUR[side]}[{PAGE_WORDS[side]}] heads"
        if count < 2:
            column.markdown(f":gray[No head speaks for {PAGE_WORDS[side]} alone here.]")
            ks.append(0)
            continue
        ks.append(column.slider(label, 0, count - 1, 0, key=f"heads-silence-{side}"))
    memory, page = ks
    p = result.grid_probability[memory, page]
    words = result.spans(result.grid_top_ids[memory, page])
    values = [float(value) for value in result.grid_top[memory, page]]
    known, told = (conflict_charts.begun(words, answer) for answer in (result.memory, result.context))
    silent = _by_sliders(result)
    named = ", ".join(head_shown(head) for head in silent)
    st.markdown(
        f"On this prompt it says **{escape(word(words[0]))}**: :blue[{escape(result.memory)} {percent(float(p[0]))}], "
        f":orange[{escape(result.context)} {percent(float(p[1]))}]." + (f" :gray[:small[✕ {named}]]" if named else "")
    )
    st.plotly_chart(
        word_bars(words, values, live(), before=known, after=told, limit=float(result.grid_top[..., 0].max())),
        key=f"heads-words-{theme_seen()}",
        alt="Next words: " + ", ".join(f"{word(w)} {percent(v)}" for w, v in zip(words, values, strict=True)) + ".",
        config=STILL,
    )
    if many is not None:
        _shares(many, memory, page)
    return silent


def _by_sliders(result: HeadsResult) -> list[Head]:
    """Heads that the sliders silence as they stand."""
    memory, page = (st.session_state.get(f"heads-silence-{side}", 0) for side in SIDES)
    return [parse_head(name) for name in (*result.memory_heads[:memory], *result.context_heads[:page])]


def _shares(many: ConflictResult, memory: int, page: int) -> None:
    rows = conflict_charts.shares_of(many, {"memory": memory, "context": page})
    if not rows:
        return
    st.markdown(
        "Share of answers :blue-badge[from memory] :gray-badge[something else] :orange-badge[from the page], "
        f"{rows[0].n} other prompts"
    )
    said = "; ".join(f"{row.label}: memory {percent(row.memory)}, page {percent(row.context)}" for row in rows)
    st.plotly_chart(
        conflict_charts.share_bars(rows, live()), key=f"heads-shares-{theme_seen()}", alt=said + ".", config=STILL
    )
    st.markdown(captions.shares(many))


def card(result: HeadsResult, many: ConflictResult | None) -> Head:
    """What is known of the selected head."""
    layer, head = here = settle(result)
    side = result.scores.side(here, result.request.rank_by)
    badge = f" :{COLOUR[side]}-badge[{PAGE_WORDS[side]}]" if side else " :gray-badge[neither]"
    st.markdown(f"### Head {head_shown(here)}{badge}")
    st.session_state["heads.layer"], st.session_state["heads.number"] = layer, head
    with st.container(horizontal=True):
        layers, heads = result.scores.memory.shape
        st.number_input("Layer", 0, layers - 1, key="heads.layer", on_change=_other_head, width=110)
        st.number_input("Head", 0, heads - 1, key="heads.number", on_change=_other_head, width=110)
    st.markdown("**What it writes** :gray[(added to a word’s logit, directly)]")
    count = 5
    ids = [*result.writes.top_ids[here][:count], *result.writes.bottom_ids[here][:2][::-1]]
    values = [*result.writes.top[here][:count], *result.writes.bottom[here][:2][::-1]]
    words = result.spans(np.array(ids))
    under = next((word(w) for w in words if conflict_charts.begins(w, result.memory)), "")
    over = next((word(w) for w in words if conflict_charts.begins(w, result.context)), "")
    said = ", ".join(f"{word(w)} {v:+.1f}" for w, v in zip(words, values, strict=True))
    st.plotly_chart(
        writes_bars(words, [float(v) for v in values], live(), under, over),
        key=f"card-writes-{theme_seen()}",
        alt=f"Head {head_name(here)} writes: {said}.",
        config=STILL,
    )
    st.markdown("**Where it looks** :gray[(last word’s attention)]")
    st.markdown(looks(result, here))
    st.markdown("**Without it** :gray[(path patching)]")
    scores = [("on this prompt", result.scores, "")]
    if many is not None and many.scores.memory.shape == result.scores.memory.shape:
        scores.append((f"over {sum(e.part == 'find' for e in many.examples)} facts", many.scores, "±"))
    for where, own, half in scores:
        spread = [f" ± {x[here]:.0%}" if half else "" for x in (own.memory_half, own.context_half)]
        st.markdown(
            f":blue[remembered answer {own.memory[here]:+.0%}{spread[0]}] · :orange[page’s {own.context[here]:+.0%}"
            f"{spread[1]}] :gray[:small[{where}]]"
        )
    return here


def _other_head() -> None:
    st.session_state["heads.head"] = (int(st.session_state["heads.layer"]), int(st.session_state["heads.number"]))


def looks(result: HeadsResult, head: Head) -> str:
    """The prompt with the words a head looks at marked, strongest in bold with its share."""
    weights = result.looks[head].astype(float)
    parts = []
    for at, (token, weight) in enumerate(zip(result.tokens, weights, strict=True)):
        text = escape(word(token)) if token.strip() else "␣"
        lead = " " if token[:1].isspace() else ""
        if weight >= 0.25:
            text = f":blue-background[**{text}** {percent(weight)}]"
        elif weight >= 0.08:
            text = f":gray-background[{text} {percent(weight)}]"
        elif result.roles and result.roles[at] != "you":
            text = f":gray[{text}]"
        parts.append(lead + text)
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def keep_request(result: HeadsResult, heads: list[Head]) -> EditRequest:
    """The edit that silences these heads, looked at on this prompt."""
    prompt, subject = result.request.prompt, result.request.subject
    begin, end = occurrences(prompt, subject)[-1]
    side = result.scores.side(heads[0], result.request.rank_by)
    return EditRequest(
        facts=(
            Rewrite(
                prompt=f"{prompt[:begin]}{{}}{prompt[end:]}",
                subject=prompt[begin:end],
                target=result.memory if side == "context" else result.context,
            ),
        ),
        method="prune",
        **result.request.framing(),
        heads=tuple(map(head_name, heads)),
    )


def roads(result: KnockoutResult) -> None:
    """Two figures, one an answer."""
    for column, side, name in zip(st.columns(2, gap="large"), (0, 1), ("memory", "context"), strict=True):
        with column:
            st.markdown(f"### The :{COLOUR[name]}[{'remembered' if side == 0 else 'page’s'}] answer")
            lowest = "; ".join(
                f"{cut}: {result.change[result.cuts.index(cut), :, side].min():+.0%} at layer "
                f"{int(result.change[result.cuts.index(cut), :, side].argmin())}"
                for cut in ROADS
            )
            st.plotly_chart(
                knockout_curves(result, ROADS, side, live()),
                key=f"knockout-{name}-{theme_seen()}",
                alt=f"Change of the {name} answer’s probability with edges cut. Lowest {lowest}.",
                config=STILL,
            )
    st.markdown(captions.knockout(result))
