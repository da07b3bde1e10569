"""Running a study against the store: what was computed once is not computed again.

Worker and command line share it. A stopped run is continued where its kind allows, and a study
made of traces finds each of them stored.
"""

import inspect
import logging
from typing import Any

from analysis import LanguageModel
from analysis.study import Report, Request, Study, silent
from app.store import ResultStore
from app.studies import STUDIES

log = logging.getLogger(__name__)


def compute(study: Study, request: Request, lm: LanguageModel, store: ResultStore, report: Report = silent) -> Any:
    """Run a study from where an earlier run left it, and store the result; a full disk does not lose it."""
    key = request.key(lm.weights_hash)
    options: dict[str, Any] = {}
    if study.resumable:
        options["resume_from"] = store.load(study, key, stopped=True)
    if "trace_one" in inspect.signature(study.run).parameters:
        options["trace_one"] = lambda lm, request, report: stored(STUDIES["trace"], request, lm, store, report)
    result = study.run(lm, request, report, **options)
    try:
        store.save(study, key, result)
    except OSError as error:
        log.warning("The result could not be stored (%s); it will be computed anew next time.", error)
    return result


def stored(study: Study, request: Request, lm: LanguageModel, store: ResultStore, report: Report = silent) -> Any:
    """The result in the store, computed first when it is not there."""
    found = store.load(study, request.key(lm.weights_hash))
    return compute(study, request, lm, store, report) if found is None else found
