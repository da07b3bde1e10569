"""The closed forms: from keys, residuals and second moments to a change of the output matrix.

All of them answer the same question, which Δ makes W + Δ send new keys to new values while what the
layer is used to reading stays, with other weights on the two halves. All give Δ = left @ right of
rank n, the number of facts; float64 throughout, Cholesky where the matrix allows it.

Shapes: K (d_k, n) keys, R (d, n) residuals (wanted minus present value), C (d_k, d_k) second moment.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest
from editors.edit.pairs import Pairs, joined, upon

RIDGE = 1e-5
"""Added to C, times its mean eigenvalue: keeps directions the text never showed invertible."""


@dataclass(frozen=True)
class Change:
    """A change of low rank: Δ = left @ right."""

    left: Tensor  # (d, n)
    right: Tensor  # (n, d_k)
    pairs: Pairs | None = None  # what it takes to solve it anew with others

    @property
    def matrix(self) -> Tensor:
        """Δ, (d, d_k)."""
        return self.left @ self.right


class Inverse:
    """C⁻¹ as a Cholesky factor of C with its ridge; `BadRequest` where C is no second moment."""

    def __init__(self, moment: Tensor, ridge: float = RIDGE):
        moment = moment.double()
        size = len(moment)
        self.moment = moment + ridge * moment.trace() / size * torch.eye(size, dtype=torch.float64)
        factor, failed = torch.linalg.cholesky_ex(self.moment)
        if failed.item() or not torch.isfinite(factor).all():
            raise BadRequest(
                "The second moments are not positive definite: too few tokens were read, or numbers are not finite. "
                "Measure them on more text."
            )
        self.factor = factor

    def __call__(self, keys: Tensor) -> Tensor:
        """C⁻¹ K, (d_k, n)."""
        return torch.cholesky_solve(keys.double(), self.factor)

    def anchored(self, anchor: float) -> "Inverse":
        """That of C + μI, μ = `anchor` times the mean eigenvalue of C."""
        return Inverse(self.moment, anchor) if anchor else self

    @cached_property
    def digest(self) -> str:
        """Hash of C with its ridge."""
        return hashlib.sha256(np.ascontiguousarray(self.moment.numpy(), dtype="<f8").tobytes()).hexdigest()


def key_ratio(inverse: Inverse, bare: Tensor, mean: Tensor) -> float:
    """ρ = k_cᵀC⁻¹k* / k*ᵀC⁻¹k*: 1 where the bare prompt's key and the mean one ask for the same write."""
    whitened = inverse(mean[:, None])[:, 0]
    return float(bare.double() @ whitened / (mean.double() @ whitened))


def rome(inverse: Inverse, direction: Tensor, key: Tensor, residual: Tensor) -> Change:
    """Δ = r uᵀ / (uᵀ k), u = C⁻¹ · direction (ROME, equation 2; r-ROME where direction and key are the same)."""
    u = inverse(direction[:, None])[:, 0]
    return Change(residual.double()[:, None], (u / (u @ key.double()))[None])


def memit(inverse: Inverse, keys: Tensor, residuals: Tensor, weight: float) -> Change:
    """Δ = R (λI + KᵀC⁻¹K)⁻¹ KᵀC⁻¹, λ = `weight` (MEMIT, equation 14, in its small form)."""
    whitened = inverse(keys)
    gram = keys.double().T @ whitened
    gram = gram + weight * torch.eye(len(gram), dtype=torch.float64)
    return Change(residuals.double(), torch.linalg.solve(gram, whitened.T))


def rls(
    inverse: Inverse,
    keys: Tensor,
    residuals: Tensor,
    weight: float,
    anchor: float = 0.0,
    below: Sequence[tuple[Pairs, Callable[[Tensor], Tensor]]] = (),
) -> Change:
    """Δ = R Kᵀ (M₀ + A + K Kᵀ)⁻¹, M₀ = λ(C + μI), λ = `weight`, A = Σ k kᵀ of the keys below (ENCORE, 2502.01636).

    One step of recursive least squares: what is below and this together are the one solution for all their pairs,
    whatever the order. Without any below, and with μ = 0, it is MEMIT.

    Args:
        inverse: of C, or of C with what else M₀ shall hold, such as protected keys.
        keys: K, (d_k, n).
        residuals: R, wanted minus present value, (d, n).
        weight: λ.
        anchor: μ, in mean eigenvalues of C: holds the weights where they are in directions that text hardly uses.
        below: of the changes that are on, their pairs, and what each adds at keys; those under another M₀ are part of
            the model as it is.
    """
    inverse = inverse.anchored(anchor)
    normal = hashlib.sha256(f"{inverse.digest}|{weight!r}".encode()).hexdigest()[:24]
    alike = [(pairs, adds) for pairs, adds in below if pairs.normal == normal]
    own, whitened = keys.double(), inverse(keys) / weight
    right = upon(joined([pairs for pairs, _ in alike]) if alike else None, own.numpy(), whitened.numpy())
    wanted = residuals.double() + sum(adds(own) for _, adds in alike)
    pairs = Pairs(own.numpy(), whitened.numpy(), wanted.numpy(), weight, anchor, normal)
    return Change(residuals.double(), torch.from_numpy(right), pairs)


def emmet(inverse: Inverse, keys: Tensor, residuals: Tensor, slack: float) -> Change:
    """The new values exactly, at least cost (EMMET, 2403.14236); `slack` in mean diagonals of KᵀC⁻¹K.

    MEMIT with λ = slack · tr(KᵀC⁻¹K) / n; with no slack and one fact, ROME. A slack that is named holds for one fact
    too, as in EasyEdit, so that the number a person sets does what it says; the official code adds its own, an absolute
    number, from two facts on only, which is the default here.
    """
    size = keys.double().T @ inverse(keys)
    return memit(inverse, keys, residuals, slack * float(size.trace()) / len(size))


def condition(inverse: Inverse, keys: Tensor) -> float:
    """Condition number of KᵀC⁻¹K: how near two facts come to asking for the same key."""
    return float(torch.linalg.cond(keys.double().T @ inverse(keys)))


@dataclass(frozen=True)
class Freedom:
    """Directions of key space that the text hardly uses, and where AlphaEdit may write."""

    basis: Tensor  # (d_k, free) orthonormal
    threshold: float  # largest eigenvalue of C that counts as free
    leak: float  # share of the text's energy that falls into the free directions

    def project(self, keys: Tensor) -> Tensor:
        """P K, (d_k, n)."""
        return self.basis @ (self.basis.T @ keys.double())


def freedom(moment: Tensor, protect: float) -> Freedom:
    """The free directions once the strongest ones, holding `protect` of C's trace, are set aside (AlphaEdit, 3.2).

    The published threshold on eigenvalues is absolute and fits one model's scale only; `threshold` tells the
    absolute one this share comes to. All directions are free where nothing is protected.
    """
    values, vectors = torch.linalg.eigh(moment.double())
    total = values.sum()
    free = values.cumsum(0) <= (1 - protect) * total * (1 + 1e-12)  # a sum of all may round to more than the trace
    if not free.any():
        raise BadRequest(
            f"Protecting {protect:.1%} of the text's energy leaves no direction to write to. Protect less."
        )
    return Freedom(vectors[:, free], float(values[free].max()), float(values[free].sum() / total))


def refreshed(moment: Tensor, past: Tensor, count: int, weight: float) -> Tensor:
    """(A/t + λ₁C) / (λ₁ + 1): what P is found from once t facts have been written, A their K Kᵀ (BetaEdit)."""
    return (past.double() / count + weight * moment.double()) / (weight + 1)


def alphaedit(free: Freedom, keys: Tensor, residuals: Tensor, spared: Sequence[Tensor], ridge: float) -> Change:
    """Δ = R K̃ᵀ (P A P + K̃K̃ᵀ + ηI)⁻¹ with K̃ = P K, A the sum of `spared`, η = `ridge` (AlphaEdit, equation 14).

    Spared are the past keys' K Kᵀ, and those of keys that are protected, each (d_k, d_k); for BetaEdit (2605.09285)
    also λ₁C, so that what text there is in the free directions is paid for.

    Solved among the coordinates of the free directions, where it is symmetric and smaller. With `leak`, λ₁C, P λ₁C P
    stands beside P A P, so that what text there is in the free directions is paid for (BetaEdit, 2605.09285).
    """
    inner = free.basis.T @ keys.double()
    size = len(inner)
    system = inner @ inner.T + ridge * torch.eye(size, dtype=torch.float64)
    for one in spared:
        system = system + free.basis.T @ one.double() @ free.basis
    right = torch.cholesky_solve(inner, torch.linalg.cholesky(system))
    return Change(residuals.double(), (free.basis @ right).T)
