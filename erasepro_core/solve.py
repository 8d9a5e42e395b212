"""The constrained problems: features in, the right factor of the updates and measures out.

The file with mathematical letters, beside stays.py. Columns are features:

    W  weight of a layer          X  target features      C  features that must not move
    U  its update, W = W_o + U    Y  anchor features      N  neutral features: those of everyday prompts
    G  what the output must gain on the targets: W_o (Y - X), and the residual stream's part where there is one

A solve never needs W: every update is `(G @ mixing) @ right`, and layers with the same input share both factors.
docs/method.md derives each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .stays import Stays, wide
from .update import LowRankUpdate, as_float32

NEGLIGIBLE = 0.05
"""A direction of which less than this share would be corrected is left alone: it costs size and brings little."""
RESTORED = 32
"""Directions of `restoring_update` in each layer."""


class SolveError(ValueError):
    """A constrained problem without a usable solution."""


@dataclass(frozen=True)
class RightFactor:
    """What all updates of layers with the same input share: how they find the targets in that input."""

    mixing: Tensor
    """`[n, rank]`: which mix of the n gaps each row of `right` brings in."""
    right: Tensor
    """`[rank, d_in]`: zero on preserved directions; its rows map the scaled target columns to orthonormal ones."""
    kept: Tensor
    """`[n, exact]`: mixes of columns on which the constraint holds exactly; orthonormal up to the columns' scale."""
    condition: float
    """Strongest over weakest direction kept (no unit); not a number where no direction is chosen, as in UCE."""
    free: Tensor
    """`[n]`: share of each target feature that lies outside the preserved directions, 0 to 1."""
    exact_preserves: int
    """Number of directions that cannot move at all."""
    scale: Tensor
    """`[concepts]`: root mean square size of each concept's columns; infinite where the factor cannot be trimmed."""

    @property
    def rank(self) -> int:
        """Number of directions, those corrected in part among them."""
        return self.right.shape[0]

    def update(self, gap: Tensor) -> LowRankUpdate:
        """The update after which the layer's output has gained `gap`, `[d_out, n]`, on the targets."""
        return as_float32(wide(gap) @ self.mixing, self.right)

    def trim_budget(self, gaps: Tensor) -> float:
        """Largest error of an update's left factor at which no concept's gap can open again in full.

        An error that is smaller by some factor opens no concept's gap by more than that share of it.

        Args:
            gaps: `[concepts]`, by how much targets and anchors differ behind the layer, Frobenius norm.
        """
        return float((gaps.to(self.scale) / self.scale).min())


def zero_residual_factor(
    target: Tensor,
    stays: Stays | None = None,
    *,
    concept: Tensor | None = None,
    rtol: float = 1e-6,
    max_cost: float = float("inf"),
) -> RightFactor:
    """Right factor of the smallest updates that gain what is asked on the targets and nothing on the preserves.

    Minimises `tr(U M U')` subject to `U X = G` and `U C = 0`; M and C are in `stays`.

    Args:
        target: X, `[d_in, n]`, one column per aligned token.
        stays: what must not move; None where everything may, all directions alike.
        concept: `[n]`, which concept a column belongs to: each sets its own scale for `rtol`, so a strong one cannot
            push a weak one below it.
        rtol: directions of X weaker than this share of the strongest are not constrained; near-equal columns are then
            met on average instead of one by one (no unit).
        max_cost: a direction is corrected in full if that moves neutral features by at most this share of what is
            corrected on the targets, both root mean square. A more costly one is corrected in part. Needs neutral
            features (no unit).

    Raises:
        SolveError: no target feature has a part outside the preserved directions.

    Source: arXiv:2508.04472; docs/method.md, "One layer".
    """
    X = wide(target)
    stays = stays or Stays.of(like=X)
    free = stays.free(X)
    share = free.norm(dim=0) / X.norm(dim=0).clamp_min(torch.finfo(X.dtype).tiny)
    if not bool((share > 1e-6).any()):
        raise SolveError("every target feature lies in the span of the features to preserve")
    solved = stays.divided(free)
    owner = X.new_zeros(X.shape[1], dtype=torch.long) if concept is None else concept.to(X.device)
    chosen = _directions(free, solved, owner, rtol, max_cost)
    strength = chosen.values.sqrt()
    return RightFactor(
        mixing=chosen.mixes * chosen.gain,
        right=(chosen.mixes / chosen.values).T @ solved.T,
        kept=chosen.mixes[:, chosen.gain == 1],
        condition=float(strength[-1] / strength[0]),
        free=share,
        exact_preserves=stays.basis.shape[1],
        scale=chosen.scale,
    )


def restoring_update(moved: Tensor, features: Tensor, weights: Tensor, stays: Stays) -> LowRankUpdate:
    """The update that gives what must not move back what earlier updates took from it.

    Minimises `|(U N - R) D|^2 + tr(U M U')` subject to `U C = 0`, and keeps the strongest `RESTORED` of its directions.
    It is no constraint: one linear map cannot know all that moved.

    Args:
        moved: R, `[d_out, n]`, what the output must gain to be what it was.
        features: N, `[d_in, n]`, as they are now.
        weights: the diagonal of D, `[n]`.
        stays: C, and the mean of M and of `N D D N'`; see `Stays.averaged`.

    Source: docs/method.md, "Shallow to deep in one pass".
    """
    D = wide(weights)
    R, N = wide(moved) * D, stays.free(wide(features)) * D
    whole = stays.divided(N @ R.T / 2).T
    gained = whole @ N
    start = torch.randn(N.shape[1], RESTORED, generator=torch.Generator().manual_seed(0), dtype=N.dtype).to(N.device)
    left = torch.linalg.qr(gained @ (gained.T @ (gained @ start))).Q  # nearly its strongest directions
    right = left.T @ whole
    size = (right @ N).norm(dim=1).clamp_min(torch.finfo(N.dtype).tiny)
    return as_float32(left * size, right / size[:, None])


def uce_factor(
    target: Tensor, preserve: Tensor | None = None, *, ridge: float = 0.5, weight: float = 1.0
) -> RightFactor:
    """Right factor of the update of Unified Concept Editing, for comparison: a penalty where ours has a constraint.

    Minimises `|U X - G|^2 + weight |U C|^2 + ridge |U|^2`; the published values are the defaults.

    Args:
        target: X, `[d_in, n]`.
        preserve: C, `[d_in, p]`, or None.

    Source: arXiv:2308.14761, equation 7.
    """
    X = wide(target)
    C = X[:, :0] if preserve is None else wide(preserve).to(X.device)
    A = torch.cat([X, C * weight**0.5], dim=1)
    small = A.T @ A + ridge * torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
    right = (X - A @ torch.linalg.solve(small, A.T @ X)).T / ridge
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    endless = X.new_full((1,), float("inf"))
    return RightFactor(identity, right, identity, float("nan"), X.new_ones(X.shape[1]), 0, endless)


def zero_residual_update(
    weight: Tensor, target: Tensor, anchor: Tensor, preserve: Tensor | None = None, *, rtol: float = 1e-6
) -> LowRankUpdate:
    """Smallest change after which the layer answers each target as it answered the anchor.

    Minimises `|U|^2` subject to `(W_o + U) X = W_o Y` and `U C = 0`; rank at most n, never dense.

    Args:
        weight: W_o, `[d_out, d_in]`.
        target: X, `[d_in, n]`, one column per aligned token.
        anchor: Y, `[d_in, n]`, column i is what target column i should become.
        preserve: C, `[d_in, p]`, or None.
        rtol: directions of X weaker than this share of the strongest count as zero (no unit).

    Raises:
        ValueError: shapes disagree.
        SolveError: all targets lie in the span of the preserves.

    Source: arXiv:2508.04472; docs/method.md, "One layer".
    """
    if target.shape != anchor.shape or weight.shape[1] != target.shape[0]:
        raise ValueError(
            f"a weight {list(weight.shape)} reads columns of length {weight.shape[1]}, one target for each anchor; "
            f"got targets {list(target.shape)} and anchors {list(anchor.shape)}"
        )
    stays = Stays.of(preserve, like=target)
    factor = zero_residual_factor(target, stays, rtol=rtol)
    return factor.update(wide(weight) @ wide(anchor - target))


@dataclass(frozen=True)
class _Directions:
    """The mixes of columns that are corrected, weakest first."""

    mixes: Tensor
    """`[n, rank]`"""
    values: Tensor
    """`[rank]`: eigenvalue of each."""
    gain: Tensor
    """`[rank]`: share of each that is corrected; 1 in full."""
    scale: Tensor
    """`[concepts]`"""


def _directions(free: Tensor, solved: Tensor, owner: Tensor, rtol: float, max_cost: float) -> _Directions:
    """Eigenvectors of `X' M^-1 X`, columns scaled by concept, that are strong enough and not too costly.

    Args:
        free: X on the directions that are free, `[d_in, n]`.
        solved: `M^-1 X`.
    """
    sizes = _concept_scale((free * solved).sum(0), owner)
    scale = sizes[owner]
    values, vectors = _spectrum(free / scale, solved / scale)
    mixes = vectors / scale[:, None]
    gain = (max_cost / _cost(mixes, values)).square().clamp_max(1)
    gain[-1] = 1
    keep = (values > max(rtol**2, 1e-14) * values[-1]) & (gain > NEGLIGIBLE)
    return _Directions(mixes[:, keep], values[keep], gain[keep], sizes)


def _spectrum(X: Tensor, solved: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of `X' M^-1 X`, from the smaller of the two sides.

    With more columns than d_in the rank is at most d_in: R holds an orthonormal basis of the rows of X, and `R S R'` is
    the same problem with d_in rows.
    """
    d, n = X.shape
    if n <= d:
        return torch.linalg.eigh(X.T @ solved)
    sizes, basis = torch.linalg.eigh(X @ X.T)
    keep = sizes > 1e-14 * sizes[-1]
    R = (basis[:, keep] / sizes[keep].sqrt()).T @ X
    values, vectors = torch.linalg.eigh((R @ X.T) @ (solved @ R.T))
    return values, R.T @ vectors


def _cost(mixes: Tensor, values: Tensor) -> Tensor:
    """How far a neutral feature moves for a unit of change at the columns that a direction mixes, `[n]`.

    Direction k changes column i by `mixes[i, k]`, which lets a number of columns take part in it (the inverse
    participation ratio, so that repeating a column changes nothing), and costs `1 / values[k]` in
    `tr(U M U')`, the mean square over neutral features.
    """
    size = mixes.square().sum(0)
    columns = 1 / (mixes.square() / size).square().sum(0)
    return (columns * size / values.clamp_min(torch.finfo(values.dtype).tiny)).sqrt()


def _concept_scale(squares: Tensor, concept: Tensor) -> Tensor:
    """Root mean square size of each concept's columns, `[concepts]`."""
    squares = squares.clamp_min(torch.finfo(squares.dtype).tiny)
    return (summed(squares, concept) / summed(torch.ones_like(squares), concept).clamp_min(1)).sqrt()


def summed(values: Tensor, concept: Tensor) -> Tensor:
    """Sum of each concept's columns, `[concepts]`.

    Args:
        values: `[n]`.
        concept: `[n]`, which concept a column belongs to.
    """
    return values.new_zeros(int(concept.max()) + 1).index_add_(0, concept.to(values.device), values)
