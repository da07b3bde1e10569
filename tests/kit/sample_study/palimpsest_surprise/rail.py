"""How it stands among earlier runs."""

from palimpsest_surprise.result import SurpriseResult


def surprise_told(result: SurpriseResult) -> tuple[str, str, None]:
    """The prompt, and what was asked of it."""
    return result.request.prompt, "surprise", None
