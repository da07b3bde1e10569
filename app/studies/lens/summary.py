"""The logit lens in lines of text."""

from analysis import LensResult
from app.terminal.text import columns, model_line, word


def lens_summary(result: LensResult) -> str:
    """What the last token's states say, layer by layer."""
    lens = result.lens
    rows = [
        (
            layer,
            " ".join(word(result.words[str(int(token))]) for token in lens.top_ids[layer, -1]),
            lens.answer_probability[layer, -1],
            int(lens.answer_rank[layer, -1]),
        )
        for layer in range(len(lens.answer_rank))
    ]
    head = ("layer", f"words at “{word(result.tokens[-1])}”", f"P({word(result.answer)})", "rank")
    return f"{model_line(result.model)}\n{columns(rows, head)}"
