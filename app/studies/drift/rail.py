"""How drift stands on the rail of earlier runs."""

from app.jobs.run_entry import Told
from app.studies.drift.figure import drift_thumbnail
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted


def drift_told(result: DriftResult) -> Told:
    """Prompt and picture."""
    return result.request.prompt, "drift", drift_thumbnail(result.drift)


def drifts_told(result: DriftsResult) -> Told:
    """How many prompts, and their mean."""
    return f"Drift over {counted(len(result.prompt), 'prompt')}", "drift", drift_thumbnail(result.mean())
