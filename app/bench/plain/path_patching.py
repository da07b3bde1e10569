"""Path patching the plain way: one full forward a head, every head's output written in."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.internals.head_outputs import at_heads
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class PlainPaths:
    """One prompt with all heads frozen; `sender` replaces one of them at the last token."""

    def __init__(self, lm: "LanguageModel", tokens: Tokens):
        self.lm, self.ids = lm, tokens.tensor(lm.device)
        self.z: list[Tensor] = []

        def keep(_: int, z: Tensor) -> None:
            self.z.append(z.clone())

        with torch.no_grad(), at_heads(lm, keep):
            self.clean = lm.logits(self.ids)[0, -1]

    @torch.no_grad()
    def sender(self, layer: int, head: int, corrupted: Tensor) -> Tensor:
        """Logits (vocabulary,) with head (layer, head) giving `corrupted` (d_head,), MLPs and norms recomputed."""

        def frozen(at: int, _: Tensor) -> Tensor:
            if at != layer:
                return self.z[at]
            held = self.z[at].clone()
            held[0, -1, head] = corrupted
            return held

        with at_heads(self.lm, frozen):
            return self.lm.logits(self.ids)[0, -1]

    @torch.no_grad()
    def frozen(self) -> Tensor:
        """Logits (vocabulary,) with every head frozen and no sender."""
        with at_heads(self.lm, lambda layer, _: self.z[layer]):
            return self.lm.logits(self.ids)[0, -1]
