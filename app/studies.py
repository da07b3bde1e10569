"""The studies this workbench offers. A new method is one line here.

Jobs, cache, links, exports, history and the command line all work from this table.
"""

from analysis import (
    AverageRequest,
    AverageResult,
    KnownRequest,
    KnownResult,
    LensRequest,
    LensResult,
    TraceRequest,
    TraceResult,
    average,
    known_facts,
    logit_lens,
    trace,
)
from analysis.study import Study

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("trace", TraceRequest, TraceResult, trace, resumable=True),
        Study("average", AverageRequest, AverageResult, average),
        Study("lens", LensRequest, LensResult, logit_lens),
        Study("facts", KnownRequest, KnownResult, known_facts),
    )
}
