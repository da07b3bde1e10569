"""What every page of a study does between its form and its figure: ask, follow the run, show what it found."""

from collections.abc import Callable
from typing import Any, TypeVar

from analysis import WorkbenchError
from analysis.study import Request, Study
from app.session import run_flow
from app.session.export_row import table_twin
from app.session.fields import say
from editors.edit.edit import Edit

Asked = TypeVar("Asked", bound=Request)


def asked(
    page: str,
    study: Study,
    form: Callable[[], Asked],
    pressed: bool,
    *,
    edits: tuple[Edit, ...] | None = None,
    begun: Callable[[Asked], None] = lambda _: None,
    told: Callable[[WorkbenchError], bool] = lambda _: False,
    linked: bool = True,
) -> Asked | None:
    """What the form asks, begun where its button was pressed; None, with the fault said, where it asks nothing.

    `begun` is called with what has just been begun; `told`: whether a fault stands on the page already; `linked`:
    whether the address of the page says the request.
    """
    request = None
    try:
        request = form()
        if linked:
            say(page, request)
        if pressed:
            run_flow.start(page, study, request, edits)
            begun(request)
    except WorkbenchError as error:
        if not told(error):
            run_flow.refusal(error)
    return request


def outcome(
    page: str,
    study: Study,
    request: Request | None,
    unit: str | None,
    show: Callable[[Any], None],
    waits: str | Callable[[], None] = "",
    *,
    edits: tuple[Edit, ...] | None = None,
    preview: bool = False,
) -> None:
    """How far the run is and what it found, shown by `show` with its table beneath; `waits` while there is nothing."""
    result = run_flow.follow(page, study, request, unit, edits=edits, preview=preview)
    if result is not None:
        show(result)
        table_twin(result)
    elif run_flow.elsewhere(page, edits):
        return
    elif callable(waits):
        waits()
    elif waits:
        run_flow.nothing_yet(page, waits)
