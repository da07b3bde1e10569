"""Known facts in lines of text."""

from analysis import KnownResult
from app.studies.facts.table import known_table
from app.terminal.text import columns, model_line


def known_text(result: KnownResult, at_least: float = 0.0) -> str:
    """The facts a model knows with at least this probability, and how many there are."""
    facts = known_table(result)
    known = facts[facts["correct"] & (facts["probability"] >= at_least)].sort_values("probability", ascending=False)
    lines = columns(
        [(fact.id, fact.prompt, fact.object, fact.probability) for fact in known.itertuples()],
        ("id", "prompt", "object", "probability"),
    )
    bound = f" with a probability of at least {at_least:g}" if at_least else ""
    left_out = f" {len(result.skipped)} could not be asked; the JSON file says why." if result.skipped else ""
    return f"{lines}\n\n{model_line(result.model)}: {len(known)} of {len(facts)} facts known{bound}.{left_out}"
