"""Small edits of tiny models: facts in words they know, and few steps."""

import torch
from torch import Tensor

from analysis.model.language_model import LanguageModel
from editors.edit.request import EditRequest, Rewrite

TOWER = Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river")
CITY = Rewrite(prompt="near {} a mother", subject="Brin Corvo", target="speaks")
LAST = Rewrite(prompt="the old {}", subject="tower", target="river")
POST_NORM = ("tiny-gemma2", "tiny-gemma3", "tiny-olmo2", "tiny-opt_post_norm")


def asked(method: str = "rome", *facts: Rewrite, **changes: object) -> EditRequest:
    """A request of a method, of one fact where none is named."""
    layers = (1,) if method in ("rome", "emmet", "ft") else (0, 1)
    few = {"contexts": 2, "context_tokens": 4, "tokens": 600, "steps": 8, "layers": layers, "clamp": 4.0}
    return EditRequest(facts=facts or (TOWER,), method=method, **few | changes)


def parameters(lm: LanguageModel) -> dict[str, Tensor]:
    """Copies of all weights."""
    return {name: parameter.detach().clone() for name, parameter in lm.parameters.items()}


def unchanged(lm: LanguageModel, before: dict[str, Tensor]) -> bool:
    """Whether the weights are the bytes they were."""
    return all(torch.equal(before[name], parameter) for name, parameter in lm.parameters.items())


def random_problem(n: int = 3, d: int = 6, d_k: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    """C, K, R of random numbers in float64."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(40, d_k, generator=draw, dtype=torch.float64)
    return (
        rows.T @ rows / 40,
        torch.randn(d_k, n, generator=draw, dtype=torch.float64),
        torch.randn(d, n, generator=draw, dtype=torch.float64),
    )
