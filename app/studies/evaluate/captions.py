"""Under the figures of evaluations."""

from editors.cases.case import counted
from editors.evaluation.result import PROTOCOLS, EvaluateResult, Protocol


def evaluate(result: EvaluateResult, protocol: Protocol) -> str:
    """Under the scores by one protocol."""
    return (
        f":gray[:small[{protocol}: {PROTOCOLS[protocol]}. Bars: 95 % over "
        f"{counted(len(result.request.cases))}. Protocols differ; compare within one.]]"
    )
