"""What is asked of a case about memory and page: its new answer stands on the page, its old one in memory."""

from editors.cases.case import Case, behind


def page_and_prompt(case: Case) -> str:
    """The prompt behind a page that says the new answer."""
    return behind(case.rewrite, case.rewrite.text)


def context(case: Case) -> str:
    """What the page says."""
    return case.rewrite.target


def memory(case: Case) -> str | None:
    """What was true before, where the case says it."""
    return case.olds[0] or None
