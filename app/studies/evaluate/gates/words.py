"""A gate and its verdicts in plain words, for page, terminal and report."""

from dataclasses import asdict
from typing import Any

from app.charts.prompt_kinds import PROMPT_KINDS
from app.charts.words import THIN
from editors.evaluation.gates import Gate, Threshold
from editors.evaluation.result import IN_PERCENT, Protocol
from editors.evaluation.verdicts import Decision, Finding, Verdict
from editors.registry.versions import label_of

SIGNS: dict[Decision, str] = {"admit": "✓", "hold": "‖", "reject": "✕"}
TOLD = 2
"""Findings told in one line."""
BY: dict[Protocol, str] = {
    "likelihood": "likelier",
    "likelihood_summed": "likelier as a whole",
    "magnitude": "ahead by",
    "strict": "said when forced",
    "token_fraction": "said in part when forced",
    "starts": "said freely",
    "contains": "occurring freely",
    "agreement": "kept",
    "kl": "moved by",
    "dp": "the edit’s answer",
    "cap": "the wanted answer",
    "eos": "not the edit’s",
}


def subject(threshold: Threshold) -> str:
    """What a threshold is about: “neighbours kept”."""
    change = ", change" if threshold.measure == "change" else ""
    return f"{PROMPT_KINDS[threshold.kind]} {BY[threshold.protocol]}{change}"


def wanted(threshold: Threshold) -> str:
    """What it asks: “at least 95 %”."""
    return f"{threshold.direction} {_number(threshold, threshold.value)}{_unit(threshold)}"


def measured(finding: Finding) -> str:
    """What there is: “87 % [81, 92]”; a dash where there is nothing."""
    if finding.value is None:
        return "–"
    told = f"{_number(finding.threshold, finding.value)}{_unit(finding.threshold)}"
    if finding.low is None or finding.high is None:
        return told
    return f"{told} [{_number(finding.threshold, finding.low)}, {_number(finding.threshold, finding.high)}]"


def finding_said(finding: Finding) -> str:
    """A finding in one clause, with the reason where it is held."""
    told = f"{subject(finding.threshold)} {measured(finding)}, wanted {wanted(finding.threshold)}"
    return f"{told} ({finding.reason})" if finding.reason else told


def verdict_said(verdict: Verdict) -> str:
    """A verdict in one line, with the findings that made it so."""
    name = label_of(verdict.method)
    if verdict.decision == "admit":
        return f"{name}: admit, every threshold met"
    rest = len(verdict.deciding) - TOLD
    told = "; ".join(finding_said(one) for one in verdict.deciding[:TOLD])
    return f"{name}: {verdict.decision}, {told}{f'; and {rest} more' if rest > 0 else ''}"


def gate_said(gate: Gate) -> str:
    """Which gate: name, version, hash."""
    return f"gate “{gate.name}”, version {gate.version}, hash {gate.hash}"


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON data."""
    findings = []
    for one in verdict.findings:
        said = asdict(one) | {"threshold": one.threshold.model_dump(mode="json", exclude={"source"})}
        findings.append(said)
    return {"decision": verdict.decision, "findings": findings}


def _number(threshold: Threshold, value: float) -> str:
    if threshold.protocol in IN_PERCENT:
        return f"{100 * value:.0f}".replace("-", "−") if abs(value) >= 0.005 else "0"
    return f"{value:.3f}".replace("-", "−")


def _unit(threshold: Threshold) -> str:
    if threshold.protocol not in IN_PERCENT:
        return f"{THIN}nats" if threshold.protocol == "kl" else ""
    return f"{THIN}points" if threshold.measure == "change" else f"{THIN}%"
