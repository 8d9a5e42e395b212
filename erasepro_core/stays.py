"""What must not move at one input of layers: the directions that cannot, and a measure of all others.

Letters as in solve.py: columns C must not move, N are those of everyday prompts, M is their second moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 512
"""Rows of a moment that are computed at a time."""


@dataclass(frozen=True)
class Stays:
    """What must not move at one input, ready for any number of solves: a basis of it, and a measure of the rest."""

    basis: Tensor
    """Q, `[d_in, exact]`: orthonormal, the directions that cannot move at all."""
    sample: Tensor | None
    """A, `[d_in, m]` float32: columns whose outer products sum to the second moment M on the directions that Q leaves
    free, but for the floor; None where there are d_in of them or more."""
    floor: float
    """What is added to every eigenvalue of M; 1 where nothing was seen, and M is the identity."""
    cholesky: Tensor
    """Of M; where there is a sample of `A' A` and the floor."""

    @classmethod
    def of(
        cls,
        preserve: Tensor | None = None,
        weighted: Tensor | None = None,
        neutral: Tensor | None = None,
        *,
        like: Tensor,
        rtol: float = 1e-6,
        weight: float = 1.0,
        ridge: float = 0.03,
    ) -> Stays:
        """Factors what must not move.

        M is the second moment of the neutral and weighted features plus `ridge` times its mean eigenvalue, or the
        identity without them. It is taken on what C leaves free, so a huge preserved feature such as BOS sets no scale.

        Args:
            preserve: C, `[d_in, p]`, held exactly.
            weighted: features to move as little as possible, `[d_in, q]`.
            neutral: N, `[d_in, m]`.
            like: any features, for their length, type and device.
            rtol: directions of C weaker than this share of the strongest are free (no unit).
            weight: how much the weighted features count against the neutral ones, which count 1.
            ridge: how much an unseen direction counts against the mean of the seen ones.
        """
        Q = _basis(preserve, rtol, like=wide(like))
        A = _sample(Q, neutral, weighted, weight)
        d, m = A.shape
        floor = ridge * float(A.square().sum()) / d if m else 1.0
        small = moment(A.T if m < d else A)
        small.diagonal().add_(floor)
        return cls(Q, A if m < d else None, floor, torch.linalg.cholesky(small))

    def free(self, features: Tensor) -> Tensor:
        """The part of features `[d_in, n]` that may move."""
        return features - self.basis @ (self.basis.T @ features)

    def divided(self, free: Tensor) -> Tensor:
        """M^-1 applied to columns that lie in the free directions, through the smaller of the two sides (Woodbury)."""
        if self.sample is None:
            return self.free(torch.cholesky_solve(free, self.cholesky))
        A = self.sample.to(free)
        return (free - A @ torch.cholesky_solve(A.T @ free, self.cholesky)) / self.floor


def wide(features: Tensor) -> Tensor:
    """The same in float64; in main memory where the device has no such numbers."""
    return (features.cpu() if features.device.type == "mps" else features).double()


def moment(columns: Tensor) -> Tensor:
    """Lower half of `columns @ columns'` in float64, added up in float32, `[d, d]`.

    What it measures sizes by need not be sharper, and on most devices this is many times faster.
    """
    short = columns.float()
    d, found = len(short), columns.new_zeros(len(short), len(short), dtype=torch.float64)
    for first in range(0, d, BLOCK):
        last = min(first + BLOCK, d)
        found[first:last, :last] = short[first:last] @ short[:last].T
    return found


def _basis(columns: Tensor | None, rtol: float, *, like: Tensor) -> Tensor:
    """Orthonormal basis of the columns' span, `[d, r]`; each column counts by its direction, not by its size."""
    if columns is None or columns.shape[1] == 0:
        return like[:, :0]
    C = wide(columns)
    C = C / C.norm(dim=0).clamp_min(torch.finfo(C.dtype).tiny)
    left, values, _ = torch.linalg.svd(C, full_matrices=False)
    return left[:, values > rtol * values[0]]


def _sample(Q: Tensor, neutral: Tensor | None, weighted: Tensor | None, weight: float) -> Tensor:
    """Columns whose outer products sum to the second moment on the free directions, `[d, m + q]`.

    They are thousands, so they are copied once.
    """
    parts = [(c, w) for c, w in ((neutral, 1.0), (weighted, weight)) if c is not None and c.shape[1]]
    rows = torch.cat([c.T.float() for c, _ in parts]) if parts else Q[:, :0].T.float()
    for part, (c, w) in zip(rows.split([c.shape[1] for c, _ in parts]), parts, strict=True):
        part *= (w / c.shape[1]) ** 0.5
    Q = Q.to(rows)
    return rows.addmm_(rows @ Q, Q.T, alpha=-1).T
