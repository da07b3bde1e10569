"""What each token of the prompt adds to its answer: Captum's tools for language models, as two further opinions.

`ablated`: a token is replaced by the end-of-text token and the answer's log-probability read again (`FeatureAblation`
behind `LLMAttribution`). `integrated`: gradients of that log-probability along the straight line from the embeddings
of end-of-text tokens to those of the prompt (`LayerIntegratedGradients`, asked directly: behind
`LLMGradientAttribution` tokens that shall stay get a part too); the parts add up to what the prompt gains over that
baseline. A token the tokenizer puts before the text stays, and has no part; in a
chat neither has what is not the person's own prompt.
"""

from itertools import takewhile
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

OPINIONS = ("ablated", "integrated")
NODES, ROWS = 100, 25


def token_parts(lm: "LanguageModel", tokens: Tokens, answer: int, nodes: int = NODES) -> tuple[Tensor, float]:
    """Each token's part of log P(answer), (2, T) by `OPINIONS`, in nats, and what the integrated parts should add to.

    How far they miss it says how exact `nodes` points on the line are.
    """
    from captum.attr import (  # here, as few ask for them
        FeatureAblation,
        LayerIntegratedGradients,
        LLMAttribution,
        TextTokenInput,
    )

    own, target = tokens.tensor("cpu"), torch.tensor([answer])
    asked = TextTokenInput("", _Read(own), baselines=blank(lm))
    ablation = LLMAttribution(FeatureAblation(lm.model), lm.tokenizer, attr_target="log_prob")
    with torch.no_grad():
        ablated = ablation.attribute(asked, target=target, use_cached_outputs=False).seq_attr
    gradients = LayerIntegratedGradients(
        lambda ids: lm.logits(ids, 1)[:, -1].log_softmax(-1)[:, answer], cast(torch.nn.Module, lm.bridge.embed)
    )
    with torch.enable_grad():
        along = gradients.attribute(
            tokens.tensor(lm.device), baseline(lm, tokens), n_steps=nodes, method="gausslegendre",
            internal_batch_size=ROWS,
        )  # fmt: skip
    parts = torch.stack((ablated.detach().cpu().float(), along[0].sum(-1).detach().cpu().float()))
    parts[:, [not one for one in _own(tokens)]] = 0
    with torch.no_grad():
        ends = torch.cat((tokens.tensor(lm.device), baseline(lm, tokens)))
        with_it, without = lm.logits(ends)[:, -1].cpu().double().log_softmax(-1)[:, answer].tolist()
    return parts, with_it - without


def blank(lm: "LanguageModel") -> int:
    """The token that stands for none: end of text, else what the tokenizer pads with, else its first."""
    return int(lm.tokenizer.eos_token_id or lm.tokenizer.pad_token_id or 0)


def baseline(lm: "LanguageModel", tokens: Tokens) -> Tensor:
    """The prompt with every token of its text blank, (1, T); in a chat, of the person's own."""
    ids = tokens.tensor(lm.device)
    ids[:, _own(tokens)] = blank(lm)
    return ids


def _own(tokens: Tokens) -> list[bool]:
    """Which tokens are the person's: all behind those the tokenizer put before the text, the person's own in a chat."""
    if tokens.roles:
        return [role == "you" for role in tokens.roles]
    added = sum(1 for _ in takewhile(lambda span: span[0] == span[1], tokens.spans))
    return [at >= added for at in range(len(tokens))]


class _Read:
    """A tokenizer that has read the prompt already, so that Captum sees the very tokens that were scored."""

    def __init__(self, ids: Tensor):
        self._ids = ids

    def encode(self, text: str, return_tensors: str | None = None) -> Tensor:
        return self._ids

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [str(token) for token in ids]
