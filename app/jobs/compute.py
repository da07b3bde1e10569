"""Running a study against the store: what was computed once is not computed again.

Worker and command line share it. A stopped run is continued where its kind allows, and a study
made of others finds each of them stored.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.study import Report, Request, Study, edited_hash, silent
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis import LanguageModel


def key_of(request: Request, lm: "LanguageModel", edits: Sequence[Edit] = ()) -> str:
    """Under which key the result of a request lies in the store, of this model with these edits on."""
    return request.key(edited_hash(lm.own_hash, [edit.key for edit in edits]))


def compute(
    study: Study,
    request: Request,
    lm: "LanguageModel",
    store: ResultStore,
    report: Report = silent,
    edits: Sequence[Edit] = (),
    *,
    fresh: bool = False,
) -> Any:
    """Run a study from where an earlier run left it, and store the result; a full disk does not lose it.

    `edits` are those that are on: for a study of edits to build on, for all others applied already.
    `fresh`: from the beginning, and its parts too.
    """
    key = key_of(request, lm, edits)
    options: dict[str, Any] = {"stack": edits} if study.on_edits else {}
    if study.resumable and not fresh:
        options["resume_from"] = store.load(study, key, stopped=True)
    if study.parts:
        options["part"] = lambda lm, request, report: stored(
            STUDIES[study.parts], request, lm, store, report, edits, fresh=fresh
        )
    result = study.run(lm, request, report, **options)
    if study.kept:
        store.keep(study, key, result)
    return result


def stored(
    study: Study,
    request: Request,
    lm: "LanguageModel",
    store: ResultStore,
    report: Report = silent,
    edits: Sequence[Edit] = (),
    *,
    fresh: bool = False,
) -> Any:
    """The result in the store, computed first when it is not there, or when it is wanted `fresh`."""
    key = key_of(request, lm, edits)
    found = None if fresh else store.load(study, key)
    return compute(study, request, lm, store, report, edits, fresh=fresh) if found is None else found
