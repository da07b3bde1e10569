"""Under the figures of memory and page."""

from analysis import ConflictResult, KnockoutResult
from analysis.knowledge_conflict.result import READING, Scores
from app.charts.words import THIN
from editors.cases.case import counted


def heads(scores: Scores) -> str:
    """Under the map of heads for memory and for the page."""
    direct = scores.agreement("direct")
    also = f", direct logit attribution {direct:.2f}" if direct == direct else ""
    guess = scores.agreement("attribution")
    if guess != guess:
        return f":gray[:small[Colour: what each answer loses by this head’s paths to the inputs named ({READING}).]]"
    return (
        ":gray[:small[Colour: what each answer loses when the head alone is exchanged, the two set against each other "
        f"(path patching to the logits, other heads frozen; {READING}). ✕ silenced. Cheaper rankings agree with it by: "
        f"attribution patching {guess:.2f}{also} (rank correlation).]]"
    )


def shares(many: ConflictResult) -> str:
    """Under who wins over many facts."""
    chosen = ", ".join(f"{k} for {'page' if side == 'context' else side}" for side, k in many.chosen.items())
    after = f" k chosen on other prompts: {chosen}." if chosen else ""
    return (
        ":gray[:small[Heads were found on other facts than these are counted on, and silenced in the order found there."
        f"{after} Answers are judged by their first token.]]"
    )


def knockout(result: KnockoutResult) -> str:
    """Under the cut roads."""
    return (
        ":gray[:small[Relative change of the answer’s probability when the last word may not look at the subject, the "
        f"page’s answer or the words behind it, in {result.window} layers around each; mean and 95 % interval over "
        f"{counted(len(result.examples), 'fact')} (attention knock-out). The scale ends at +200{THIN}%; a small "
        "probability can grow many times over.]]"
    )
