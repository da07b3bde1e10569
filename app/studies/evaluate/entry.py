"""How good an edit is, and whether the model still works."""

from app.registry.entry import Command, Entry, Page

EVALUATE = Entry(
    name="evaluate",
    question="How good is an edit?",
    does="compare methods on the same cases by every protocol of the field",
    request="editors:EvaluateRequest",
    result="editors:EvaluateResult",
    run="editors:evaluate",
    work="app.studies.evaluate.work:evaluate_work",
    parts="evaluate",
    command="app.studies.evaluate.command",
    more_commands=(
        Command(
            "lm-eval",
            "app.studies.evaluate.lm_eval_command",
            "a second opinion on general ability, by lm-eval (an extra)",
        ),
    ),
    chapter="methods/evaluate.md",
    page="evaluate",
    own_page=Page("Evaluate"),
    table="app.studies.evaluate.table:evaluate_table",
    fields="app.studies.evaluate.table:evaluate_fields",
    summary="app.studies.evaluate.summary:evaluate_summary",
    rail="app.studies.evaluate.rail:evaluate_told",
    panels="app.studies.evaluate.panels:evaluate_panels",
    html="app.studies.evaluate.reports.html:judged_report",
    report="app.studies.evaluate.reports.markdown:markdown_report",
    from_case={"cases": "app.sweeps.from_case:cases", "mode": "app.studies.evaluate.from_case:single"},
    split="editors.evaluation.parts:parts_of",
    join="app.studies.evaluate.whole:whole",
    plain_html="app.studies.evaluate.reports.html:html_report",
    examples="app.studies.evaluate.gallery:examples",
    bench="app.bench.evaluate:BENCH",
)
ABILITIES = Entry(
    name="abilities",
    question="Does the model still work?",
    does="ask small questions that no edit should touch, with edits or without",
    request="editors:AbilitiesRequest",
    result="editors:AbilitiesResult",
    run="editors:abilities",
    work="app.studies.evaluate.work:abilities_work",
    command="app.cli.study_on_edits",
    table="app.studies.evaluate.table:abilities_table",
    fields="app.studies.evaluate.table:abilities_fields",
    summary="app.studies.evaluate.summary:abilities_summary",
    rail="app.studies.evaluate.rail:abilities_told",
    chapter="methods/abilities.md",
    shown="app.studies.evaluate.example:examples",
)
