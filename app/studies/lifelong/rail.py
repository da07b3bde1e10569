"""How a stream of edits stands on the rail of earlier runs."""

from app.jobs.run_entry import Told
from app.studies.lifelong.figure import lifelong_thumbnail
from editors.cases.case import counted
from editors.lifelong_editing.result import LifelongResult


def lifelong_told(result: LifelongResult) -> Told:
    """Facts, method, picture."""
    title, note = f"{counted(len(result.request.cases), 'fact')} in a row", f"lifelong, {result.request.method}"
    return title, note, lifelong_thumbnail(result)
