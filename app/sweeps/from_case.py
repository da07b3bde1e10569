"""What studies ask of a case, field by field; a study's entry names which of its fields takes what."""

from editors.cases.case import Case
from editors.edit.request import Rewrite


def prompt(case: Case) -> str:
    """The prompt of its first fact."""
    return case.rewrite.text


def prompts(case: Case) -> tuple[str, ...]:
    """The same, for a study of several."""
    return (case.rewrite.text,)


def subject(case: Case) -> str:
    """The subject of its first fact."""
    return case.rewrite.subject


def facts(case: Case) -> tuple[Rewrite, ...]:
    """All facts to write."""
    return case.rewrites


def cases(case: Case) -> tuple[Case, ...]:
    """The case as it is."""
    return (case,)
