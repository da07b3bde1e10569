"""How the lens stands on the rail of earlier runs."""

from analysis import LensResult
from app.jobs.run_entry import Told
from app.studies.lens.figure import lens_thumbnail


def lens_told(result: LensResult) -> Told:
    """Prompt and picture."""
    return result.request.prompt, "lens", lens_thumbnail(result)
