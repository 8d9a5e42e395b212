"""Low-rank updates of layers, and the set of them that a solve finds for one model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LowRankUpdate:
    """W - W_o of one layer as `left @ right`; the layer's bias never changes."""

    left: Tensor
    """`[d_out, rank]`"""
    right: Tensor
    """`[rank, d_in]`"""

    @property
    def rank(self) -> int:
        """Number of rank-one terms."""
        return self.right.shape[0]

    def dense(self) -> Tensor:
        """The full update, `[d_out, d_in]`."""
        return self.left @ self.right

    def __call__(self, features: Tensor) -> Tensor:
        """What the update adds to the layer's output for features `[..., d_in]`."""
        right, left = (factor.to(features.device, features.dtype) for factor in (self.right, self.left))
        return features @ right.T @ left.T

    def plus(self, other: LowRankUpdate) -> LowRankUpdate:
        """Both together."""
        return LowRankUpdate(torch.cat([self.left, other.left], dim=1), torch.cat([self.right, other.right]))

    def norm(self) -> float:
        """Frobenius norm, computed without the dense form."""
        left, right = self.left.double(), self.right.double()
        return float(((left.T @ left) * (right @ right.T)).sum().clamp_min(0).sqrt())

    def in_main_memory(self) -> LowRankUpdate:
        """The same where updates are kept: a card is for what is computed."""
        return LowRankUpdate(self.left.cpu(), self.right.cpu())

    def nbytes(self) -> int:
        """Size of the two factors."""
        return sum(factor.numel() * factor.element_size() for factor in self.factors())

    def factors(self) -> tuple[Tensor, Tensor]:
        """What it is made of."""
        return self.left, self.right


@dataclass(frozen=True)
class RowUpdate:
    """The update of a table of token embeddings: a few of its rows become other rows of it."""

    rows: Tensor
    """`[n]` int64: the rows that change."""
    right: Tensor
    """`[n, d]`: what is added to each."""
    height: int
    """How many rows the table has."""
    sources: tuple[int, ...] = ()
    """The rows that they become; not in a file."""

    @property
    def rank(self) -> int:
        """Number of rows that change."""
        return len(self.rows)

    @property
    def left(self) -> Tensor:
        """`[height, n]`: a one in every column, so that `left @ right` is the update; made when it is asked for."""
        return torch.zeros(self.height, self.rank).index_put_((self.rows, torch.arange(self.rank)), torch.tensor(1.0))

    def norm(self) -> float:
        """Frobenius norm."""
        return float(self.right.double().norm())

    def nbytes(self) -> int:
        """Size of what is kept."""
        return sum(part.numel() * part.element_size() for part in (self.rows, self.right))

    def factors(self) -> tuple[Tensor, Tensor]:
        """What it is made of."""
        return self.rows, self.right


Update = LowRankUpdate | RowUpdate


@dataclass(frozen=True)
class UpdateSet:
    """The updates that erase concepts from one model; it holds no reference to the model."""

    family: str
    """Name of the model family that the layer names belong to."""
    text_encoder: Mapping[str, Update]
    """Update by layer name, inside the text encoder."""
    diffusion_model: Mapping[str, LowRankUpdate]
    """Update by layer name, inside the diffusion model."""

    def nbytes(self) -> int:
        """Size of all factors."""
        return sum(update.nbytes() for part in self.parts() for update in part.values())

    def parts(self) -> tuple[Mapping[str, Update], Mapping[str, LowRankUpdate]]:
        """Both mappings."""
        return self.text_encoder, self.diffusion_model

    def checksum(self) -> str:
        """Short name of the contents: equal for equal updates, bit by bit."""
        sha = hashlib.sha256(self.family.encode())
        for side, part in enumerate(self.parts()):
            for name, update in sorted(part.items()):
                sha.update(f"{side}:{name}:{update.rank}".encode())
                for factor in update.factors():
                    sha.update(factor.cpu().float().contiguous().numpy().tobytes())
        return sha.hexdigest()[:16]


def trimmed(update: LowRankUpdate, loss: float) -> LowRankUpdate:
    """The update with as few terms as it can have while what is missing of its left factor has at most the norm `loss`.

    Args:
        update: any update.
        loss: a Frobenius norm, in the left factor's own unit; see `RightFactor.trim_budget`.
    """
    left, values, mixes = torch.linalg.svd(update.left.double(), full_matrices=False)
    missing = values.square().flip(0).cumsum(0).flip(0).sqrt()
    keep = missing > loss
    keep[0] = True
    return as_float32(left[:, keep] * values[keep], mixes[keep] @ update.right.double())


def compressed(update: LowRankUpdate, rtol: float) -> LowRankUpdate:
    """The same update with as few terms as it needs and with factors of equal size, best for storing in few bits.

    Args:
        update: any update.
        rtol: singular values below this share of the largest are dropped; what is lost is below `rtol` times the norm
            for each (no unit).
    """
    left, tall = torch.linalg.qr(update.left.double())
    right, wide = torch.linalg.qr(update.right.double().T)
    u, values, v = torch.linalg.svd(tall @ wide.T)
    keep = values > rtol * values[0]
    keep[0] = True
    root = values[keep].sqrt()
    return as_float32(left @ u[:, keep] * root, (right @ v.T[:, keep] * root).T)


def as_float32(left: Tensor, right: Tensor) -> LowRankUpdate:
    """An update in the precision that hosts compute patches in."""
    return LowRankUpdate(left.float(), right.float())
