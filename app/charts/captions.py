"""What stands under a figure, in the Markdown of the pages: one text for the page, the picture and the HTML file."""

from typing import Any

import numpy as np

from analysis import (
    AverageResult,
    ConflictResult,
    HopsResult,
    KnockoutResult,
    LensResult,
    NeuronsResult,
    TraceResult,
)
from analysis.internals.scores import Metric
from analysis.knowledge_conflict.result import READING, Scores
from app.charts.marked import escape
from app.charts.words import THIN, percent, word
from app.studies.lens.figure import first_layer
from app.studies.trace.figure import PLAIN_METRIC
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted
from editors.edit.edit import Edit
from editors.evaluation.result import PROTOCOLS, EvaluateResult, Protocol
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult


def trace(result: TraceResult, metric: Metric) -> str:
    """Under the maps of a trace."""
    what = PLAIN_METRIC[metric].format(answer=escape(word(result.answer)), foil=escape(word(result.foil)))
    clean, blurred = percent(result.high), percent(result.low)
    by = (
        f"“{escape(result.replacement)}” in its place"
        if result.replacement
        else (f"{result.request.noise:g} σ of noise, {len(result.blurred.probability)} samples")
    )
    return f":gray[:small[★ subject. Ink: {what}. Clean {clean}, blurred {blurred} ({by}).]]"


def average(result: AverageResult) -> str:
    """Under the averages."""
    effect, width = result.total_effect
    return (
        f":gray[:small[★ subject. Ink: points of probability regained. Mean over {counted(len(result.ids), 'fact')}, "
        f"{result.request.samples} noise samples each; blurring "
        f"takes {100 * effect:.0f} ± {100 * width:.0f} points away (total effect).]]"
    )


def average_sites(result: AverageResult, kind: str) -> str:
    """Where one kind of repair does most."""
    parts = []
    for row in ("last subject token", "last token"):
        layer, mean, half = result.peak(kind, row)
        parts.append(f"{row}: layer {layer}, {percent(mean)} ± {100 * half:.0f}")
    return f":gray[:small[Highest means, with 95 % intervals. {'; '.join(parts)}.]]"


def lens(result: LensResult) -> str:
    """Under the lens."""
    layer = first_layer(result)
    where = f"from layer {layer} on" if layer is not None else "at no layer for good"
    final = percent(float(result.lens.answer_probability[-1, -1]))
    return (
        f":gray[:small[Each cell holds the state’s first word; ink: its probability. The last token says "
        f"“{escape(word(result.answer))}” first {where}; at the end with {final}.]]"
    )


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


DRIFT = (
    ":gray[:small[Ink: how much more (orange) or less (blue) a head looks from the last word to the subject’s last "
    "token with the edit on (attention drift).]]"
)


def drift_window(result: DriftResult) -> str:
    """Over the curve of attention set back."""
    right, wrong = escape(word(result.answer)), escape(word(result.edited))
    return (
        f":gray[Edited model, attention of {result.window['layers']} layers set back to before (patching drift): "
        f":blue[{right}] and :orange[{wrong}], dotted where they stand with nothing set back.]"
    )


def drift_substitution(result: DriftResult, kind: str) -> str:
    """Over the maps of the edited model's outputs put in."""
    return (
        f":gray[Model before the edit, with what the edited one computes at one token, {result.window[kind]} layers at "
        f"a time (contaminating substitution): ink is the probability :blue[{escape(word(result.answer))}] loses.]"
    )


def drift_correlation(result: DriftsResult) -> str:
    """How drift goes with what is lost."""
    found = result.correlation()
    return (
        f"Correlation {found.r:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}), {counted(found.n, 'prompt')}."
        if found.r == found.r
        else f"{counted(found.n, 'prompt')}: too few for a correlation."
    )


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


def layers(result: LayersResult) -> str:
    """Under edits at one layer after another; nothing where they do not go with the trace in any way."""
    between = result.correlation()
    if not result.complete or between != between:
        return ""
    return (
        f":gray[:small[Over {result.score.size} edits, what an edit brings about and what the trace finds at its "
        f"layer go together with r = {between:.2f}. Lines: share of prompts whose wanted answer is said. Area: "
        f"indirect effect of the state at the subject’s last token, {result.request.samples} noise samples.]]"
    )


def evaluate(result: EvaluateResult, protocol: Protocol) -> str:
    """Under the scores by one protocol."""
    return (
        f":gray[:small[{protocol}: {PROTOCOLS[protocol]}. Bars: 95 % over "
        f"{counted(len(result.request.cases))}. Protocols differ; compare within one.]]"
    )


def quiz(result: QuizResult) -> str:
    """Under the dots of a quiz."""
    asked = len(result.request.cases) - len(result.skipped)
    return (
        ":gray[:small[Answered freely, matched word for word; no second model judges. "
        f"Bars: 95 % over {counted(asked)}. Facts the model answers so before any edit are left out. "
        "Its terms: efficacy, generalisation, portability, locality, robustness (after HalluEditBench, 2410.16251).]]"
    )


def lifelong(result: LifelongResult) -> str:
    """Under a stream of edits."""
    return (
        f":gray[:small[strict: {PROTOCOLS['strict']}. Bars: 95 % over cases. Perplexity of text the model wrote "
        "without edits; moved: mean KL of the next word from that without edits, on held-out prompts; silent: prompts "
        "it answers with nothing (mute rate); worst loss: the largest share lost of its neighbours or of one ability "
        "(drawdown); largest change: ‖ΔW‖ / ‖W‖, Frobenius.]]"
    )


def search(edit: Edit) -> str:
    """Under the curve of the search."""
    found = edit.found
    steps = int((~np.isnan(found.probability[:, 0])).sum())
    loss = found.loss[:, 0]
    others = np.nanmax(found.probability[:, 1:], axis=0)
    rest = f" The others reach {percent(float(others.min()))} and more." if len(others) else ""
    seconds = edit.provenance.get("seconds", 0.0)
    return f":gray[:small[{steps} steps, {seconds:.1f} s in all. Loss {loss[0]:.2f} → {loss[steps - 1]:.2f}.{rest}]]"


def _enough(one: dict[str, Any]) -> str:
    """How it was found that the text is enough, where that was asked."""
    grown = one.get("grown")
    if not grown or grown["excess"] is None:
        return ""
    return f"; new text stands out {grown['excess']:.1f} times, {grown['tolerance']:.0f} is steady"


def scraped(edit: Edit) -> str:
    """Under the size of the change."""
    ratio = edit.found.key_ratio[0]
    rho = f" ρ of the keys {ratio:.2f}." if ratio == ratio else ""
    moments = "".join(
        f" Second moments from {one['tokens']:,} tokens ({escape(str(one['corpus']))}{_enough(one)})."
        for one in edit.found.statistics[:1]
    )
    return (
        f":gray[:small[Rank {max(one.rank for one in edit.changes)}, in the MLP’s output matrix only."
        f"{moments}{rho} All other tensors are byte-identical; "
        "switching the edit off restores these byte for byte.]]"
    )
