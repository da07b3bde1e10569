"""A quiz on the page: five dimensions side by side, or form by form, and every question with its answers."""

import streamlit as st

from app.charts.palette import live
from app.components import theme_seen
from app.session.export_row import take_away
from app.session.run_flow import escape
from app.studies.evaluate.figure import quiz_alt, quiz_dots
from app.studies.evaluate.words import form_words
from app.studies.quiz import captions
from editors.cases.case import counted
from editors.quizzes.result import QuizResult
from editors.registry.versions import label_of

STILL = {"displayModeBar": False}
BY = {False: "By dimension", True: "By form"}
MARKS = {1.0: ":green[:material/check:]", 0.0: ":red[:material/close:]"}
SHOWN = 10


def show(result: QuizResult) -> None:
    """The dots, then the questions themselves."""
    by_form = st.segmented_control(
        "Show", list(BY), format_func=BY.__getitem__, default=False, key="quiz-by", required=True
    )
    st.plotly_chart(
        quiz_dots(result, live(), by_form=bool(by_form)),
        key=f"quiz-dots-{by_form}-{theme_seen()}",
        alt=quiz_alt(result, by_form=bool(by_form)),
        config=STILL,
    )
    st.markdown(captions.quiz(result))
    take_away(result, by="form" if by_form else "dimension")
    if result.skipped:
        with st.expander(f":gray[{counted(len(result.skipped), 'fact')} not asked]"):
            st.markdown("\n".join(f"- {escape(one)}" for one in result.skipped))
    for fault in result.faults[:5]:
        st.markdown(f":orange[:material/info:] {escape(fault)}")
    st.markdown("### Questions and answers")
    for number in dict.fromkeys(int(case) for case in result.case[: len(result.forms)]):
        if number >= SHOWN:
            st.markdown(":gray[… the rest is in the JSON.]")
            break
        case = result.request.cases[number]
        with st.expander(f"{escape(case.rewrite.text)} → **{escape(case.rewrite.target)}**"):
            st.markdown(_answers(result, number))


def _answers(result: QuizResult, number: int) -> str:
    """Each question, and under it what every version said, a line each: readable on a phone."""
    names = [escape(label_of(version)) for version in result.versions]
    parts = []
    for at in range(len(result.forms)):
        if result.case[at] != number:
            continue
        lines = [f"{_line(result.prompts[at])} :gray[:small[{form_words(result.forms[at])}]]"]
        for version, name in enumerate(names):
            mark = MARKS.get(float(result.right[version, at]), ":gray[–]")
            lines.append(f"{mark} :gray[{name}:] {_line(result.texts[version][at]) or ':gray[nothing]'}")
        parts.append("  \n".join(lines))
    return "\n\n".join(parts)


def _line(text: str) -> str:
    """Text from outside in one line."""
    return escape(" / ".join(text.split("\n")))
