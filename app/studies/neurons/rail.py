"""How neurons stand on the rail of earlier runs."""

import numpy as np

from analysis import NeuronsResult
from app.jobs.run_entry import Told


def neurons_told(result: NeuronsResult) -> Told:
    """Prompt, and what each layer adds."""
    strongest = np.nan_to_num(result.mlp, nan=0.0).max(1).clip(min=0)
    bars = np.stack([strongest, result.attn_layer.clip(min=0)])
    shown = bars / max(float(bars.max()), 1e-9)
    return result.request.prompt, "neurons", [[round(float(v), 3) for v in row] for row in shown]
