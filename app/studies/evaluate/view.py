"""An evaluation on the page: methods side by side by one protocol, then the cases that went worst."""

import streamlit as st

from app.charts.palette import live
from app.charts.prompt_kinds import TITLES
from app.components import theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.evaluate import captions
from app.studies.evaluate.figure import evaluate_alt, evaluate_dots
from app.studies.evaluate.gates.words import gate_said, verdict_said
from app.studies.evaluate.words import PROTOCOL_WORDS
from editors.cases.case import counted
from editors.evaluation.gates import DEFAULT
from editors.evaluation.result import PROTOCOLS, EvaluateResult
from editors.evaluation.verdicts import Decision, verdicts
from editors.registry.versions import label_of

STILL = {"displayModeBar": False}
MARKS = {1.0: ":green[:material/check:]", 0.0: ":red[:material/close:]"}
VERDICT_MARKS: dict[Decision, str] = {
    "admit": ":green[:material/check_circle:]",
    "hold": ":orange[:material/pause_circle:]",
    "reject": ":red[:material/cancel:]",
}


def show(result: EvaluateResult) -> None:
    """Everything about an evaluation."""
    protocol = st.segmented_control(
        "Scored by",
        list(PROTOCOL_WORDS),
        format_func=PROTOCOL_WORDS.__getitem__,
        default="likelihood",
        key="evaluate-protocol",
        required=True,
        wrap=True,
    )
    st.plotly_chart(
        evaluate_dots(result, protocol, live()),
        key=f"evaluate-dots-{protocol}-{theme_seen()}",
        alt=evaluate_alt(result, protocol),
        config=STILL,
    )
    st.markdown(captions.evaluate(result, protocol))
    take_away(result, protocol=protocol)
    if len(result.versions) > 1:
        _verdicts(result)
    for fault in result.faults[:5]:
        st.markdown(f":orange[:material/info:] {escape(fault)}")
    if len(result.faults) > 5:
        st.markdown(f":gray[… and {len(result.faults) - 5} more, in the JSON.]")
    if result.left_out:
        st.markdown(
            f":gray[{counted(len(result.left_out), 'prompt')} left out: this tokenizer cannot read all of their words.]"
        )
    if len(result.versions) > 1:
        _worst(result)


def _verdicts(result: EvaluateResult) -> None:
    for one in verdicts(result, DEFAULT):
        st.markdown(f"{VERDICT_MARKS[one.decision]} {escape(verdict_said(one))}")
    st.markdown(
        f":gray[:small[By the {escape(gate_said(DEFAULT))}: admitted is what the worse end of the 95 % interval shows. "
        "Thresholds of your own: palimpsest evaluate \\--gate FILE.]]"
    )


def _worst(result: EvaluateResult) -> None:
    st.markdown("### Worst first")
    version = st.segmented_control(
        "Written with",
        list(range(1, len(result.versions))),
        format_func=lambda at: label_of(result.versions[at]),
        default=1,
        key="evaluate-worst",
        required=True,
    )
    at, strict = version, list(PROTOCOLS).index("strict")
    for number in result.worst(at, 5):
        case = result.request.cases[number]
        own = [i for i in range(len(result.kinds)) if result.case[i] == number]
        right = sum(result.values[at, strict, i] == 1 for i in own)
        with st.expander(
            f"{escape(case.rewrite.text)} → **{escape(case.rewrite.target)}**, {right} of {len(own)} as wished"
        ):
            for i in own:
                value = result.values[at, strict, i]
                mark = (
                    ":gray[–]" if value != value else ":green[:material/check:]" if value else ":red[:material/close:]"
                )
                text = f" :gray[{escape(result.texts[at][i])}]" if result.texts[at][i] else ""
                kind = TITLES[result.kinds[i]]  # type: ignore[index]
                st.markdown(f"{mark} {escape(result.prompts[i])}{text} :gray[:small[{kind}]]")
