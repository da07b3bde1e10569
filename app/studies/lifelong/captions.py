"""Under a stream of edits."""

from editors.evaluation.result import PROTOCOLS
from editors.lifelong_editing.result import LifelongResult


def moved(result: LifelongResult) -> str:
    """Under what is moved."""
    near = result.moved.neighbours if result.moved is not None else 0
    return (
        ":gray[:small[Shares of what the changed layers write without edits. text: √(tr S C Sᵀ / tr W C Wᵀ), S all "
        "edits together, C the second moment of text; near: mean of ‖S k‖ / ‖W k‖ at the subject of the written facts’ "
        f"neighbours in the same wording ({near} in all), by the fact’s own edit and by the sum of all others.]]"
    )


def lifelong(result: LifelongResult) -> str:
    """Under a stream of edits."""
    return (
        f":gray[:small[strict: {PROTOCOLS['strict']}. Bars: 95 % over cases. Perplexity of text the model wrote "
        "without edits; moved: mean KL of the next word from that without edits, on held-out prompts; silent: prompts "
        "it answers with nothing (mute rate); worst loss: the largest share lost of its neighbours or of one ability "
        "(drawdown); largest change: ‖ΔW‖ / ‖W‖, Frobenius.]]"
    )
