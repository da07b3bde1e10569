"""Where the damage of a stream comes from: what all edits together add to what the changed matrices write.

Three sources grow on their own: the bulk of text, by √tr(S C Sᵀ); keys near an edited one, moved by its own edit and by
the sum of all others; and new values, longer each time where each is sought on a model that was edited before.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Moved:
    """How far the edits move what the changed matrices write, in shares of what they write without; M milestones."""

    units: ClassVar[dict[str, str]] = {
        "text": "share", "own": "share", "others": "share", "both": "share", "values": "activation",
        "neighbours": "prompts",
    }  # fmt: skip
    text: np.ndarray  # (M,) √(Σ tr S C Sᵀ / Σ tr W C Wᵀ) over changed layers; NaN where no second moments are read
    own: np.ndarray  # (M,) at neighbours of the cases written, mean: by the case's own edit
    others: np.ndarray  # (M,) by the sum of all other edits
    both: np.ndarray  # (M,) by all of them
    values: np.ndarray  # (N,) ‖v*‖, length of each case's new value; NaN where its method seeks none
    neighbours: int  # of all cases, whose subject could be told from the edit's own wording

    def lengths(self, milestones: list[int]) -> np.ndarray:
        """Mean length of the new values written since the milestone before, (M,); NaN before the first."""
        spans = [self.values[begin:end] for begin, end in zip([0, *milestones], milestones, strict=False)]
        return np.array([np.nanmean(one) if np.isfinite(one).any() else np.nan for one in spans])
