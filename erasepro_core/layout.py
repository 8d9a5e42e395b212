"""What a file calls the tensors of an erasure, and the erasure that its tensors are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .container import FileError
from .families import Family
from .families.encoders import is_table
from .families.kohya import kohya_names
from .solution import LayerRecord, Side
from .update import LowRankUpdate, RowUpdate, UpdateSet

MOST_ROWS = 16
"""A table's update of more rows is stored as its rows, which stock loaders cannot read: factors would be large."""


@dataclass(frozen=True)
class Naming:
    """What a format calls the tensors of a layer."""

    name: Callable[[Family, str, str], str]
    """Of a layer: from family, side and the layer's own name."""
    kohya: bool = True
    """Whether the blocks of a UNet have the names that kohya's trainer gives them."""
    peft: bool = False
    """Whether a layer whose name has dots has the factors A and B, and no alpha, as diffusers and peft write them."""

    def layers(self, family: Family, side: Side, names: Collection[str]) -> list[str]:
        """What a file calls the layers of a side."""
        found = [self._layer(family, side, name) for name in names]
        return kohya_names(found) if self.kohya else found

    def _layer(self, family: Family, side: Side, name: str) -> str:
        if self.kohya and side is Side.TEXT_ENCODER and is_table(name):
            return f"text_encoders.{name}"
        return self.name(family, side.value, name)

    def factors(self, layer: str) -> list[str]:
        """The names of the left factor, the right one, and alpha where there is one."""
        if self.peft and not layer.startswith("lora_"):
            return [f"{layer}.lora_B.weight", f"{layer}.lora_A.weight"]
        return [f"{layer}.lora_up.weight", f"{layer}.lora_down.weight", f"{layer}.alpha"]


NAMING = Naming(lambda family, side, name: family.lora_name(side, name), peft=True)
NAMING_2 = Naming(lambda family, side, name: family.general_name(side, name))
NAMING_1 = Naming(lambda family, side, name: family.general_name(side, name), kohya=False)


def written_updates(family: Family, updates: UpdateSet) -> dict[str, Tensor]:
    """The tensors of updates, by their names in a file."""
    tensors: dict[str, Tensor] = {}
    for side, part in zip(Side, updates.parts(), strict=True):
        for key, update in zip(NAMING.layers(family, side, part), part.values(), strict=True):
            # Layers with the same input share their right factor in memory; a file has no sharing.
            if isinstance(update, RowUpdate) and update.rank > MOST_ROWS:
                tensors |= dict(zip(_row_keys(key), _written_rows(update), strict=True))
                continue
            left, right = update.left.to(update.right.dtype), update.right
            factors = left.contiguous().clone(), right.contiguous().clone(), torch.tensor(float(update.rank))
            tensors |= dict(zip(NAMING.factors(key), factors, strict=False))
    return tensors


def read_updates(
    family: Family, layers: Sequence[LayerRecord], tensors: Mapping[str, Tensor], naming: Naming
) -> UpdateSet:
    """The updates of the layers of a file.

    Raises:
        FileError: a layer has no tensors of its own, a tensor has no layer, or tensors do not fit together.
    """
    parts: dict[Side, dict[str, Any]] = {side: {} for side in Side}
    unused = set(tensors)
    for side, part in parts.items():
        names = [layer.name for layer in layers if layer.side is side]
        for name, key in zip(names, naming.layers(family, side, names), strict=True):
            of_rows = is_table(name) and f"{key}.rows" in unused
            own = _row_keys(key) if of_rows else naming.factors(key)
            if name in part or not unused.issuperset(own):
                raise FileError(
                    f"the layer {name[:80]!r} of its metadata has no tensors of its own. Save the erasure again."
                )
            unused.difference_update(own)
            reader = _read_rows if of_rows else _read_table if is_table(name) else _read_update
            part[name] = reader(name, *(tensors[each] for each in own))
    if unused or not layers:
        first = f"such as {min(unused)[:80]!r} " if unused else ""
        raise FileError(
            f"{len(unused)} of its {len(tensors)} tensors {first}are of no layer that its metadata names: they "
            "belong to another model or another file. Save the erasure again."
        )
    return UpdateSet(family.name, *parts.values())


def _row_keys(key: str) -> list[str]:
    return [f"{key}.rows", f"{key}.height", f"{key}.change"]


def _written_rows(update: RowUpdate) -> tuple[Tensor, Tensor, Tensor]:
    """What `_row_keys` names. Whole numbers up to 2^24 are exact in float32."""
    return update.rows.float(), torch.tensor(float(update.height)), update.right.contiguous().clone()


def _read_rows(name: str, rows: Tensor, height: Tensor, change: Tensor) -> RowUpdate:
    count = rows.numel()
    known = rows.ndim == 1 and count and height.numel() == 1 and change.ndim == 2 and len(change) == count
    inside = known and bool(((rows >= 0) & (rows < height) & (rows == rows.round())).all())
    if not inside or len(rows.unique()) != count or not change.isfinite().all():
        raise FileError(f"the rows of {name[:80]!r} are not rows of one table. Save the erasure again.")
    return RowUpdate(rows.long(), change.float(), int(height))


def _read_table(name: str, left: Tensor, right: Tensor, alpha: Tensor | None = None) -> RowUpdate:
    """A table's update from its factors: the left one says which rows change."""
    update = _read_update(name, left, right, alpha)
    rows = update.left.argmax(0)
    found = RowUpdate(rows, update.right, len(update.left))
    if len(rows.unique()) != len(rows) or not torch.equal(found.left, update.left):
        raise FileError(f"the factors of {name[:80]!r} change more than rows of a table. Save the erasure again.")
    return found


def _read_update(name: str, left: Tensor, right: Tensor, alpha: Tensor | None = None) -> LowRankUpdate:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0] or not left.shape[1]:
        raise FileError(
            f"the factors of {name[:80]!r} have the shapes {list(left.shape)} and {list(right.shape)}; expected "
            "[outputs, rank] and [rank, inputs]. Save the erasure again."
        )
    if alpha is not None and (alpha.numel() != 1 or float(alpha) != left.shape[1]):
        raise FileError(f"alpha of {name[:80]!r} is not its rank {left.shape[1]}: it was rescaled. Save it again.")
    if not (left.isfinite().all() and right.isfinite().all()):
        raise FileError(f"the update of {name[:80]!r} has values that are no numbers. Save the erasure again.")
    return LowRankUpdate(left.float(), right.float())
