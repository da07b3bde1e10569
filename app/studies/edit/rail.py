"""How an edit stands on the rail of earlier runs, and where its run was made."""

from app.jobs.history import Run
from app.jobs.run_entry import Told
from editors.edit.edit import Edit
from editors.edit.request import EditRequest


def edit_told(result: Edit) -> Told:
    """What is said now, and the method."""
    brought = ", brought" if result.brought else ""
    return result.title, f"edit, {result.request.method}{brought}", None


def edit_words(run: Run) -> tuple[str, str] | None:
    """The old and the new answer; none where heads were silenced, or nothing was asked."""
    if run.request.get("heads") or " → " not in run.title:
        return None
    return run.title.rsplit(": ", 1)[-1].split(" → ")[0], run.request["facts"][0]["target"]


def made_on(request: EditRequest) -> str:
    """Heads are silenced on the page that found them."""
    return "heads" if request.silences else ""
