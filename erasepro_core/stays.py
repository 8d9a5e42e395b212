"""What must not move at one input of layers: the directions that cannot, and a measure of all others.

Letters as in solve.py: columns C must not move, N are those of everyday prompts, M is their second moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDED = torch.float16
"""The type of features that only measure sizes."""
BLOCK = 512
"""Rows of a moment, or of its factor, that are computed at a time."""
DENSE = 0.6
"""With more columns than this share of d_in the factor of their moment takes less room than the columns and theirs."""


@dataclass(frozen=True)
class Factor:
    """A Cholesky factor in float32. Of its rows only what is left of the diagonal is kept, `BLOCK` rows at a time."""

    rows: tuple[Tensor, ...]
    """`[block, d]` each, up to the block's own last column."""

    @classmethod
    def of(cls, matrix: Tensor) -> Factor:
        """Of a positive definite matrix, by its lower half; in float64 where float32 is not sharp enough for it."""
        found, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            found = torch.linalg.cholesky(matrix.double()).float()
        blocks = [found[n : n + BLOCK, : n + BLOCK] for n in range(0, len(found), BLOCK)]
        whole = torch.cat([block.flatten() for block in blocks]) if blocks else found.flatten()
        parts = whole.split([block.numel() for block in blocks])  # one piece of memory, which is given back as one
        return cls(tuple(part.view(block.shape) for part, block in zip(parts, blocks, strict=True)))

    def to(self, device: torch.device) -> Factor:
        """The same elsewhere."""
        return Factor(tuple(row.to(device) for row in self.rows))

    def matrix(self) -> Tensor:
        """Lower half of the matrix itself."""
        d = self.rows[-1].shape[1]
        found = self.rows[0].new_zeros(d, d)
        for n, row in enumerate(self.rows):
            here = found[row.shape[1] - len(row) : row.shape[1]]
            for other in self.rows[: n + 1]:
                last = other.shape[1]
                here[:, last - len(other) : last] = row[:, :last] @ other.T
        return found

    def divided(self, columns: Tensor) -> Tensor:
        """The inverse of the matrix, applied to columns in their own precision."""
        found = columns.clone()
        for row in self.rows:
            known, new, before, diagonal = self._parts(row, found)
            new -= before @ known
            new.copy_(torch.linalg.solve_triangular(diagonal, new, upper=False))
        for row in reversed(self.rows):
            known, new, before, diagonal = self._parts(row, found)
            new.copy_(torch.linalg.solve_triangular(diagonal.T, new, upper=True))
            known -= before.T @ new
        return found

    def _parts(self, row: Tensor, found: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The columns' rows above a block and in it, and the block's own left part and diagonal."""
        last = row.shape[1]
        first, row = last - len(row), row.to(found)
        return found[:first], found[first:last], row[:, :first], row[:, first:]


@dataclass(frozen=True)
class Stays:
    """What must not move at one input, ready for any number of solves: a basis of it, and a measure of the rest."""

    basis: Tensor
    """Q, `[d_in, exact]`: orthonormal, the directions that cannot move at all."""
    sample: Tensor | None
    """`[d_in, m]`: columns as they came; None where there are many, see `DENSE`."""
    weights: Tensor
    """`[m]`: A is the part of the sample that Q leaves free, each column times its weight. The outer products of A sum
    to the second moment M but for the floor."""
    floor: float
    """What is added to every eigenvalue of M; 1 where nothing was seen, and M is the identity."""
    factor: Factor
    """Of M; where there is a sample of `A' A` and the floor."""

    @classmethod
    def of(
        cls,
        preserve: Tensor | None = None,
        parts: Sequence[tuple[Tensor, float]] = (),
        *,
        like: Tensor,
        rtol: float = 1e-6,
        ridge: float = 0.03,
    ) -> Stays:
        """Factors what must not move.

        M is the weighted sum of the parts' second moments plus `ridge` times its mean eigenvalue, or the identity
        without them. It is taken on what C leaves free, so a huge preserved feature such as BOS sets no scale.

        Args:
            preserve: C, `[d_in, p]`, held exactly.
            parts: features to move as little as possible, `[d_in, some]`, and how much each part counts. Where they
                are, what is made of them is kept.
            like: any features, for their length, their type, and the device that computes.
            rtol: directions of C weaker than this share of the strongest are free (no unit).
            ridge: how much an unseen direction counts against the mean of the seen ones.
        """
        Q = _basis(preserve, rtol, like=wide(like))
        rows, weights = _weighed(parts, like=Q)
        A = _free(rows, weights, Q)
        floor = ridge * float(A.square().sum()) / len(A) if len(rows) else 1.0
        home = parts[0][0].device if parts else Q.device
        return cls._factored(Q, A, rows, weights, floor, home)

    @classmethod
    def _factored(cls, Q: Tensor, A: Tensor, rows: Tensor, weights: Tensor, floor: float, home: torch.device) -> Stays:
        few = A.shape[1] < DENSE * len(A)
        small = moment(A.T if few else A)
        small.diagonal().add_(floor)
        return cls(Q, rows.T.to(home) if few else None, weights, floor, Factor.of(small).to(home))

    def averaged(self, features: Tensor, weights: Tensor) -> Stays:
        """The same, but M is the mean of what it was and of another second moment.

        Args:
            features: `[d_in, n]`.
            weights: `[n]`, by which each column is multiplied.
        """
        Q, floor = self.basis, self.floor / 2
        rows, weights = features.T.to(Q.device), weights.to(Q.device)
        if self.sample is not None:
            rows = torch.cat([self.sample.T.to(rows.device), rounded(rows, self.sample.dtype)])
            both = torch.cat([self.weights, weights.to(self.weights)]) / 2**0.5
            return self._factored(Q, _free(rows, both, Q), rows, both, floor, self.sample.device)
        small = self.factor.to(Q.device).matrix().add_(moment(_free(rows, weights, Q))).div_(2)
        return Stays(Q, None, self.weights, floor, Factor.of(small))

    def free(self, features: Tensor) -> Tensor:
        """The part of features `[d_in, n]` that may move."""
        return features - self.basis @ (self.basis.T @ features)

    def divided(self, free: Tensor) -> Tensor:
        """M^-1 applied to columns that lie in the free directions, through the smaller of the two sides (Woodbury)."""
        if self.sample is None:
            return self.free(self.factor.divided(free))
        A = self.sample.to(free) * self.weights.to(free)
        return self.free(free - A @ self.factor.divided(A.T @ free)) / self.floor


def wide(features: Tensor) -> Tensor:
    """The same in float64; in main memory where the device has no such numbers."""
    return (features.cpu() if features.device.type == "mps" else features).double()


def rounded(features: Tensor, dtype: torch.dtype = ROUNDED) -> Tensor:
    """The same in few bits, where they take half the room: sharp enough for what only measures sizes.

    What is too large for it becomes the largest number that it has.
    """
    most = min(torch.finfo(dtype).max, torch.finfo(features.dtype).max)
    return features.clamp(-most, most).to(dtype)


def moment(columns: Tensor) -> Tensor:
    """Lower half of `columns @ columns'` in float32, `[d, d]`.

    What it measures sizes by need not be sharper, and on most devices this is many times faster than float64.
    """
    short = columns.float()
    d, found = len(short), short.new_zeros(len(short), len(short))
    for first in range(0, d, BLOCK):
        last = min(first + BLOCK, d)
        found[first:last, :last] = short[first:last] @ short[:last].T
    return found


def _basis(columns: Tensor | None, rtol: float, *, like: Tensor) -> Tensor:
    """Orthonormal basis of the columns' span, `[d, r]`; each column counts by its direction, not by its size."""
    if columns is None or columns.shape[1] == 0:
        return like[:, :0]
    C = wide(columns.to(like.device))
    C = C / C.norm(dim=0).clamp_min(torch.finfo(C.dtype).tiny)
    left, values, _ = torch.linalg.svd(C, full_matrices=False)
    return left[:, values > rtol * values[0]]


def _weighed(parts: Sequence[tuple[Tensor, float]], *, like: Tensor) -> tuple[Tensor, Tensor]:
    """All columns of some parts as rows, `[m, d]`, and the weight of each, `[m]`, such that a part counts by its own.

    Args:
        parts: columns, `[d, some]`, and how much they count.
        like: for their length and device.
    """
    some = [(columns, weight) for columns, weight in parts if columns.shape[1]]
    if not some:
        return like.new_zeros(0, len(like)), like.new_zeros(0)
    rows = torch.cat([columns.T.to(like.device) for columns, _ in some])
    return rows, torch.cat(
        [rows.new_full((c.shape[1],), (w / c.shape[1]) ** 0.5, dtype=torch.float32) for c, w in some]
    )


def _free(rows: Tensor, weights: Tensor, Q: Tensor) -> Tensor:
    """A, `[d, m]`, of rows and their weights. They are thousands, so they are copied once."""
    found = rows.float() * weights[:, None].float()
    Q = Q.to(found)
    return found.addmm_(found @ Q, Q.T, alpha=-1).T
