"""Under the figures of neurons."""

from analysis import NeuronsResult
from app.charts.marked import escape
from app.charts.words import word


def pathway() -> str:
    """Under the graph of neurons."""
    return (
        ":gray[:small[Width: log-probability added to the answer, or a query neuron’s share in what switches a value "
        "neuron on. Letters: f in an MLP, a in attention; layer · head · number.]]"
    )


def ablations(result: NeuronsResult) -> str:
    """Under what is left with neurons off."""
    draws = len(result.ablations[0].random) if result.ablations else 0
    return (
        f":gray[:small[Thin lines: {draws} random draws from the "
        "same layers. Neurons are off at every token of the prompt.]]"
    )


def gains(result: NeuronsResult) -> str:
    """Under what each layer adds."""
    violet, blue = ":violet[attention]", ":blue[MLP]"
    return (
        f":gray[:small[Log-probability added to “{escape(word(result.answer))}” at the last token by {violet} and "
        f"{blue} (last norm held still); all together they lead from the embedding to the answer.]]"
    )


def word_gains(result: NeuronsResult) -> str:
    """Under what each word adds."""
    blue, violet = ":blue[replaced by the end-of-text token]", ":violet[integrated gradients]"
    agree = result.tokens_agree()
    said = "" if agree is None else f" The two agree with a correlation of {agree:.2f}."
    return (
        f":gray[:small[Log-probability of “{escape(word(result.answer))}” that goes with a token, {blue}, or its part "
        f"by {violet}, whose parts add to {result.tokens_integrated.sum():+.2f} of {result.tokens_gain:+.2f} "
        f"gained over a blank prompt (Captum).{said}]]"
    )
