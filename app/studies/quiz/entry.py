"""Edited facts asked in many forms."""

from app.registry.entry import Entry

QUIZ = Entry(
    name="quiz",
    question="How good is an edit? A quiz in many forms",
    does="write facts and ask about them in every form: five dimensions, answered freely",
    request="editors:QuizRequest",
    result="editors:QuizResult",
    run="editors:quiz",
    work="app.studies.quiz.work:quiz_work",
    resumable=True,
    command="app.cli.study_on_cases",
    chapter="methods/quiz.md",
    shown="app.studies.quiz.example:examples",
    page="evaluate",
    table="app.studies.quiz.table:quiz_table",
    fields="app.studies.quiz.table:quiz_fields",
    summary="app.studies.quiz.summary:quiz_summary",
    rail="app.studies.quiz.rail:quiz_told",
    panels="app.studies.quiz.panels:quiz_panels",
    caption="app.studies.quiz.captions:quiz",
    from_case={"cases": "app.sweeps.from_case:cases"},
)
