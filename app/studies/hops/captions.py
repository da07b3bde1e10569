"""Under the figures of chains."""

from analysis import HopsResult
from app.charts.marked import escape

MOST_CHAINS = 6
"""Chains whose curves are drawn; of more the first."""


def recall(result: HopsResult, chain: int = 0) -> str:
    """Under where the middle can be read."""
    return (
        f":gray[:small[“{escape(result.chains[chain].bridge)}” is never said. Its probability if the model stopped at "
        "each layer (entity recall through the logit lens).]]"
    )


def cuts(result: HopsResult) -> str:
    """Under what the last word must look at."""
    return (
        f":gray[:small[The last token’s attention to these words cut, {result.request.window} layers at a time "
        "(attention knock-out); dotted: uncut.]]"
    )


def most(result: HopsResult) -> str:
    """Under all of them, where there are more."""
    more = len(result.chains) > MOST_CHAINS
    return f":gray[:small[The first {MOST_CHAINS} of {len(result.chains)} chains.]]" if more else ""
