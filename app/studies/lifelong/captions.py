"""Under a stream of edits."""

from editors.evaluation.result import PROTOCOLS
from editors.lifelong_editing.result import LifelongResult


def lifelong(result: LifelongResult) -> str:
    """Under a stream of edits."""
    return (
        f":gray[:small[strict: {PROTOCOLS['strict']}. Bars: 95 % over cases. Perplexity of text the model wrote "
        "without edits; moved: mean KL of the next word from that without edits, on held-out prompts; silent: prompts "
        "it answers with nothing (mute rate); worst loss: the largest share lost of its neighbours or of one ability "
        "(drawdown); largest change: ‖ΔW‖ / ‖W‖, Frobenius.]]"
    )
