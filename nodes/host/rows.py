"""Rows of a table of token embeddings as patches. The host adds patches up, but a row is to be set: to another row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...erasepro_core.update import RowUpdate
from .weights import effective_weight

SAME = 0.05
"""Changes that differ by less than this share of their size are the same; half precision in a file makes .001."""
A_ROW = 0.25
"""What is nearer to a row of the table than this share of its size is that row, in the precision of the weights."""


def row_patches(name: str, update: RowUpdate) -> Iterator[tuple[Any, Any]]:
    """One patch a row, so that no other row is touched."""
    for row, change in zip(update.rows.tolist(), update.right, strict=True):
        yield (f"{name}.weight", (0, row, 1)), ("diff", (change[None],))


def carried_rows(patcher: ModelPatcher, name: str, update: RowUpdate) -> list[float]:
    """How strongly each row is changed in the same way already; 0 if it is not."""
    changes = _changes(patcher, name)
    return [
        sum(strength for strength, other in changes.get(row, ()) if _same(other, change))
        for row, change in zip(update.rows.tolist(), update.right, strict=True)
    ]


def misplaced_rows(patcher: ModelPatcher, name: str, update: RowUpdate) -> list[int]:
    """The rows that another erasure changes, and that with this update would become no row of the table.

    An erasure that was solved on the erased model has none: its change starts from where the row is now.
    """
    changes = _changes(patcher, name)
    both = enumerate(zip(update.rows.tolist(), update.right, strict=True))
    places = [place for place, (row, new) in both if any(not _same(old, new) for _, old in changes.get(row, ()))]
    if not places:
        return []
    table = effective_weight(patcher, f"{name}.weight")
    rows = update.rows[places]
    wanted = table[rows.to(table.device)] + update.right[places].to(table)
    nearest = torch.cdist(wanted, table).amin(1)
    return rows[(nearest > A_ROW * wanted.norm(dim=1)).cpu()].tolist()


def _changes(patcher: ModelPatcher, name: str) -> dict[int, list[tuple[float, Tensor]]]:
    """By row, what patches add to it alone, each with its strength."""
    found: dict[int, list[tuple[float, Tensor]]] = {}
    for strength, patch, _, offset, _ in patcher.patches.get(f"{name}.weight", ()):
        if offset is not None and offset[0] == 0 and offset[2] == 1 and isinstance(patch, tuple) and patch[0] == "diff":
            found.setdefault(offset[1], []).append((strength, patch[1][0][0]))
    return found


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one.cpu() - other.cpu()).norm() <= SAME * other.norm())
