"""One hop of a chain written over by several methods, side by side: what each hop and the whole then say."""

from functools import partial
from typing import Any

import streamlit as st

from analysis.errors import WorkbenchError
from analysis.facts.chains import Chain
from app.registry.studies import STUDIES
from app.session import page, run_flow
from app.session.export_row import take_away
from app.session.fields import lasting
from app.session.run_flow import escape
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.result import DIRECT, ReachRequest, ReachResult
from editors.registry.methods import NO_EDIT, writing
from editors.registry.versions import label_of

PAGE, STUDY = "reach", STUDIES["reach"]
WHICH = {"first": "The first hop", "second": "The second hop"}
MARKS = {True: ":green[:material/check:]", False: ":red[:material/close:]"}


def fill(wish: dict[str, Any]) -> None:
    """Have the form say what was asked of an earlier run."""
    state = st.session_state
    state["reach-methods"], state["reach-thoughts"] = list(wish["methods"]), wish["thoughts"]
    state["reach-which"] = wish["cases"][0]["kind"]


def draw(chain: Chain, framing: dict[str, Any]) -> None:
    """The question, the form, the table; nothing runs before the button is pressed.

    `framing`: the fields of the request that say how its prompts are put.
    """
    st.markdown("### Written over, how far does it reach?")
    st.markdown(
        "Each method writes one hop over; then both hops and the whole are asked. "
        ":gray[edit-wise, instance-wise and multi-hop accuracy, MQuAKE; Zhong et al., 2023]"
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="reach-form"):
        which = st.segmented_control(
            "Write over",
            list(WHICH),
            format_func=WHICH.__getitem__,
            **lasting("reach-which"),
            default="first",
            required=True,
        )
        methods = st.pills(
            "With",
            writing(),
            format_func=label_of,
            selection_mode="multi",
            default=("rome", "memit", "ace"),
            **lasting("reach-methods"),
        )
        thoughts = st.toggle(
            "Also let it think first", **lasting("reach-thoughts"), help="Chain of thought: five examples."
        )
        pressed = run_flow.go(st, PAGE, STUDY, "Compare", icon=":material/compare_arrows:", key="reach-go")
    try:
        case = case_of_chain(chain, "second" if which == "second" else "first")
        if not methods:
            run_flow.refusal(WorkbenchError("Choose at least one method."))
            return
        request = ReachRequest(cases=(case,), methods=tuple(methods), thoughts=thoughts, **framing)
    except WorkbenchError as error:
        run_flow.refusal(error)
        return
    one = case.rewrites[0]
    st.markdown(
        f":gray[:small[“{escape(one.text)}” becomes “{escape(one.target)}”, so the whole should be answered with "
        f"“{escape(case.answers[0])}” instead of “{escape(chain.answer)}”.]]"
    )
    if pressed:
        try:
            run_flow.start(PAGE, STUDY, request)
        except WorkbenchError as error:
            run_flow.refusal(error)
    run_flow.watch(PAGE, partial(page.outcome, PAGE, STUDY, request, None, _show))


def _show(result: ReachResult) -> None:
    rows = ["| | First hop | Second hop | Both at once | wordings |", "|---|---|---|---|---|"]
    wordings = len(result.request.cases[0].questions)
    for at, version in enumerate(result.versions):
        name = escape(label_of(version))
        if not result.whole_said[at][0]:
            rows.append(f"| **{name}** | refused | | | |")
            continue
        cells = [
            _cell(text, bool(fine)) for text, fine in zip(result.hops_said[at][0], result.hops[at, 0], strict=False)
        ]
        cells.append(_cell(result.whole_said[at][0][0], bool(result.whole[at, 0, 0])))
        told = f"{int(result.whole[at, 0].sum())} of {wordings} new, {int(result.old[at, 0].sum())} as before"
        rows.append(f"| **{name}** | {' | '.join(cells)} | {told} |")
    st.markdown("\n".join(rows))
    for fault in result.faults:
        st.markdown(f":orange[:material/info:] {escape(fault)}")
    if result.thoughts.size:
        with st.container(border=True, key="reach-thought"):
            st.markdown("**With its thoughts**")
            for at, version in enumerate(result.versions):
                for text, fine in zip(result.thoughts_said[at][0][:1], result.thoughts[at, 0], strict=False):
                    st.markdown(f"{MARKS[bool(fine)]} **{escape(label_of(version))}** {escape(text)}")
    any_right = result.scores()[DIRECT][:, 0]
    right = [name for name, fine in zip(result.versions, any_right, strict=True) if name != NO_EDIT and fine == 1]
    reached = [escape(label_of(name)) for name in right]
    said = f"It reaches the whole with {', '.join(reached)}." if reached else "With none of them it reaches the whole."
    st.markdown(f":gray[{said} A mark says whether the answer begins with what it should be once the edit holds.]")
    take_away(result)


def _cell(text: str, fine: bool) -> str:
    shown = text.strip() or "nothing"
    shown = f"{shown[:36].rstrip()}…" if len(shown) > 37 else shown
    return f"{MARKS[fine]} {escape(shown)}"
