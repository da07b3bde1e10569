"""Traces averaged over many facts: where do facts live, not where does one.

Six rows as in ROME, figure 2: first subject token, middle subject tokens, last subject token,
first token after, further tokens, last token. Middle and further tokens are pooled token by
token; a one-token subject counts as first and as last.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import Fact, choose, in_turn, read_facts
from analysis.study import Report, provenance, silent, within
from analysis.text.framing import framed
from analysis.text.tokens import answer_token
from analysis.tracing.average_result import ROWS, AverageRequest, AverageResult
from analysis.tracing.result import TraceResult
from analysis.tracing.run import trace

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def row_tokens(subject: tuple[int, int], tokens: int) -> dict[str, list[int]]:
    """Which tokens of a prompt belong to each of the six rows."""
    begin, end = subject
    return dict(
        zip(
            ROWS,
            (
                [begin],
                list(range(begin + 1, end - 1)),
                [end - 1],
                [end] if end < tokens else [],
                list(range(end + 1, tokens - 1)),
                [tokens - 1],
            ),
            strict=True,
        )
    )


@framed
def average(
    lm: "LanguageModel",
    request: AverageRequest,
    report: Report = silent,
    *,
    resume_from: AverageResult | None = None,
    part: Callable[..., TraceResult] = trace,
) -> AverageResult:
    """Trace known facts one after another and average by role of the token.

    A fact counts when the right answer is the clean run's favourite with at least
    `at_least`. `part` may be a cached trace; `resume_from` is accepted for the shared
    interface and not needed, as cached traces are not run again.

    Args:
        lm: a loaded model; left as it was.
        request: how many known facts, and the settings of each trace.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: not needed, see above.
        part: how one fact is traced; by default `trace`.
    Returns:
        Means over facts with 95 % intervals, (roles of token, layers), in probability.
    Raises:
        `BadRequest` where no fact is known well enough.
    Source:
        Meng et al. 2022, 2202.05262, figure 2.
    Example:
        >>> from analysis import AverageRequest
        >>> found = average(lm, AverageRequest(facts=2, samples=1, kinds=("state",)))
        >>> len(found.ids)
        2
    """
    started = time.perf_counter()
    candidates = in_turn(list(choose(read_facts(), request.relations)))
    pooled: dict[str, list[list[np.ndarray]]] = {kind: [[] for _ in ROWS] for kind in request.kinds}
    ids: list[str] = []
    skipped: list[str] = []
    high: list[float] = []
    low: list[float] = []
    window: dict[str, int] = {}

    def result() -> AverageResult:
        mean, half = {}, {}
        for kind, rows in pooled.items():
            empty = np.full(lm.n_layers, np.nan)
            mean[kind] = np.stack([np.mean(row, 0) if row else empty for row in rows])
            half[kind] = np.stack(
                [1.96 * np.std(row, 0, ddof=1) / np.sqrt(len(row)) if len(row) > 1 else empty for row in rows]
            )
        counts = np.array([len(row) for row in pooled[request.kinds[0]]])
        return AverageResult(
            request, lm.card(), list(ids), np.array(high), np.array(low), dict(window), mean, half, counts,
            list(skipped), provenance(time.perf_counter() - started),
        )  # fmt: skip

    for fact in candidates:
        if len(ids) == request.facts:
            break
        report(len(ids), request.facts, "facts", result() if ids else None)
        try:
            if not _knows(lm, fact, request.at_least):
                continue
            traced = part(lm, request.of(fact), within(report, len(ids), request.facts, "facts"))
        except WorkbenchError as error:
            skipped.append(f"{fact.id}: {error}")
            continue
        ids.append(fact.id)
        high.append(traced.high)
        low.append(traced.low)
        for kind in request.kinds:
            window[kind] = traced.grids[kind].window
            effects = traced.indirect_effects(kind)
            for row, tokens in zip(pooled[kind], row_tokens(traced.subject, len(traced.tokens)).values(), strict=True):
                row.extend(effects[:, token] for token in tokens)
    if not ids:
        raise BadRequest(
            f"{lm.name} knows none of these facts with a probability of at least {request.at_least:.0%}. "
            "Lower the bound or choose other relations."
        )
    return result()


def _knows(lm: "LanguageModel", fact: Fact, at_least: float) -> bool:
    tokens = lm.encode(fact.text)
    probabilities = lm.next_word(tokens)
    answer = answer_token(lm.tokenizer, tokens, fact.object)
    return int(probabilities.argmax()) == answer and probabilities[answer].item() >= at_least
