"""An erasure as one safetensors file: a LoRA for stock loaders; request, measures and checks in its metadata.

docs/format.md specifies the format. Nothing in a file is trusted: what does not fit raises FileError, and nothing else
happens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .concept import ConceptError
from .container import CHECKSUM, PREFIX, FileError, checksum, contents, entry, parsed_entry, typed
from .entries import (
    read_check,
    read_fingerprints,
    read_layer,
    read_measures,
    read_options,
    read_request,
    read_residual,
    written_check,
    written_layer,
    written_measures,
    written_request,
)
from .families import FAMILIES, Family
from .families.encoders import is_table
from .families.kohya import kohya_names, with_companions, without_companions
from .plain import as_json
from .readers import losses
from .report import PACK_VERSION, Report
from .solution import LayerRecord, Side, Solution
from .update import LowRankUpdate, RowUpdate, Update, UpdateSet, compressed, trimmed

FORMAT = 2
"""Grows when an older reader could misunderstand a file; every older number stays readable."""
PRECISIONS = {"float16": torch.float16, "float32": torch.float32}
LOSS = 1e-3
"""Share of any concept's gap that each layer of a half precision file may leave open, for a file a quarter as large."""
MOST_ROWS = 16
"""A table's update of more rows is stored as its rows, which stock loaders cannot read: factors would be large."""
DIGITS = 5
"""Significant digits of the numbers in metadata."""


def pack(report: Report, precision: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Args:
        report: an erasure and what was measured of it.
        precision: `float32` keeps every bit; `float16` rounds, and leaves out what hardly counts (`LOSS`).

    Raises:
        FileError: an update has numbers that this precision cannot hold.
    """
    solution = report.solution
    tensors = with_companions(_written_updates(_rounded(solution, PRECISIONS[precision])))
    plain_texts = {
        "format": str(FORMAT),
        "pack": PACK_VERSION,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "family": solution.updates.family,
        "digest": report.digest,
        "options": as_json(solution.options.as_dict()),  # unrounded, so that they solve to the same again
    }
    values = {
        "request": written_request(solution.request),
        "measures": written_measures(report),
        "layers": [written_layer(report, record) for record in solution.layers],
        "readers": losses(tensors),
        "checks": [written_check(check) for check in report.checks],
    }
    texts = plain_texts | {name: as_json(value, digits=DIGITS) for name, value in values.items()}
    metadata = {PREFIX + name: text for name, text in texts.items()}
    return tensors, metadata | {CHECKSUM: checksum(tensors, metadata)}


def read(file: Path) -> Report:
    """The erasure of a file, checked from the first byte to the last.

    Raises:
        FileError: naming the file, what is wrong with it and what to do.
        OSError: the file cannot be read.
    """
    try:
        return unpack(*contents(file))
    except FileError as error:
        raise FileError(f"{file.name}: {error}") from error


def unpack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    """What `pack` was given, from tensors and metadata.

    Raises:
        FileError: they do not belong together, or are not of a format that this pack reads.
    """
    version = metadata.get(PREFIX + "format")
    if version is None:
        raise FileError(
            "this file has no ErasePro metadata, so nothing says what it erases or how to check it. If it is a LoRA, "
            "load it with the stock LoRA loader; Audit can still measure it from Define Concepts."
        )
    reader = _READERS.get(version)
    if reader is None:
        known = ", ".join(_READERS)
        raise FileError(f"the file has format {version[:20]!r}; this pack reads {known}. Update ErasePro.")
    try:
        return reader(tensors, metadata)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, (FileError, ConceptError)):
            raise FileError(str(error)) from error
        problem = f"{type(error).__name__}: {str(error)[:120]}"
        raise FileError(
            f"the metadata is not what format {version} says ({problem}). Save the erasure again."
        ) from error


# -- layouts, the newest first


def _read_2(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    _require_same("checksum", checksum(tensors, metadata), entry(metadata, "checksum"))
    return _report(tensors, metadata, _keys)


def _read_1(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    """UNet layers had the UNet's own names, and `digest` was of the tensors alone."""

    def own_names(family: Family, side: Side, names: Collection[str]) -> list[str]:
        return [family.lora_name(side.value, name) for name in names]

    report = _report(tensors, metadata, own_names)
    _require_same("digest", report.solution.updates.checksum(), entry(metadata, "digest"))
    return replace(report, digest=entry(metadata, "recipe"))


_READERS: Mapping[str, Callable[[Mapping[str, Tensor], Mapping[str, str]], Report]] = {"1": _read_1, "2": _read_2}

_Keys = Callable[[Family, Side, Collection[str]], list[str]]
"""What a format calls the layers of a side."""


def _keys(family: Family, side: Side, names: Collection[str]) -> list[str]:
    """What the file calls the layers of a side."""
    tables = {name: f"text_encoders.{name}" for name in names if side is Side.TEXT_ENCODER and is_table(name)}
    return kohya_names([tables.get(name) or family.lora_name(side.value, name) for name in names])


def _require_same(what: str, found: str, known: str) -> None:
    if found != known:
        raise FileError(
            f"its contents have the {what} {found}, its metadata says {known[:20]}: it was changed after it was "
            "saved. Load it as a LoRA if you trust it, or save the erasure again."
        )


def _report(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], keys: _Keys) -> Report:
    values = [typed(value, dict) for value in parsed_entry(metadata, "layers", list)]
    layers = tuple(map(read_layer, values))
    request = read_request(parsed_entry(metadata, "request", dict))
    solved, measured = read_measures(parsed_entry(metadata, "measures", dict), len(request.concepts))
    solution = Solution(
        updates=_read_updates(_family(entry(metadata, "family")), layers, without_companions(tensors), keys),
        request=request,
        options=read_options(parsed_entry(metadata, "options", dict)),
        layers=layers,
        **solved,
    )
    return Report(
        solution=solution,
        residuals={value["name"]: read_residual(value) for value in values},
        checks=tuple(read_check(typed(v, dict), request) for v in parsed_entry(metadata, "checks", list)),
        fingerprints=read_fingerprints(values),
        digest=entry(metadata, "digest"),
        **measured,
    )


def _family(name: str) -> Family:
    for family in FAMILIES:
        if family.name == name:
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise FileError(f"it is for models of the family {name[:40]!r}; this pack knows {known}. Update ErasePro.")


# -- updates


def _rounded(solution: Solution, dtype: torch.dtype) -> UpdateSet:
    """The updates as the file will hold them; in half precision balanced, and without what hardly counts."""
    if dtype == torch.float32:
        return solution.updates
    loss = {record.name: LOSS * record.trim_budget for record in solution.layers}

    def rounded(name: str, update: Update) -> Update:
        if isinstance(update, RowUpdate):
            return replace(update, right=_in(dtype, name, update.right))
        small = compressed(trimmed(update, loss[name]), torch.finfo(dtype).eps)
        return LowRankUpdate(_in(dtype, name, small.left), _in(dtype, name, small.right))

    parts = [{name: rounded(name, update) for name, update in part.items()} for part in solution.updates.parts()]
    return UpdateSet(solution.updates.family, *parts)  # pyright: ignore[reportArgumentType]


def _in(dtype: torch.dtype, name: str, factor: Tensor) -> Tensor:
    short = factor.to(dtype)
    if not short.isfinite().all():
        raise FileError(f"the update of {name} has numbers too large for half precision. Save it in float32.")
    return short


def _written_updates(updates: UpdateSet) -> dict[str, Tensor]:
    family = _family(updates.family)
    tensors: dict[str, Tensor] = {}
    for side, part in zip(Side, updates.parts(), strict=True):
        for key, update in zip(_keys(family, side, part), part.values(), strict=True):
            # Layers with the same input share their right factor in memory; a file has no sharing.
            if isinstance(update, RowUpdate) and update.rank > MOST_ROWS:
                tensors |= dict(zip(_row_keys(key), _written_rows(update), strict=True))
                continue
            tensors[f"{key}.lora_up.weight"] = update.left.to(update.right.dtype).contiguous().clone()
            tensors[f"{key}.lora_down.weight"] = update.right.contiguous().clone()
            tensors[f"{key}.alpha"] = torch.tensor(float(update.rank))
    return tensors


def _read_updates(
    family: Family, layers: Sequence[LayerRecord], tensors: Mapping[str, Tensor], keys: _Keys
) -> UpdateSet:
    parts: dict[Side, dict[str, Any]] = {side: {} for side in Side}
    unused = set(tensors)
    for side, part in parts.items():
        names = [layer.name for layer in layers if layer.side is side]
        for name, key in zip(names, keys(family, side, names), strict=True):
            of_rows = is_table(name) and f"{key}.rows" in unused
            own = _row_keys(key) if of_rows else [f"{key}.lora_up.weight", f"{key}.lora_down.weight", f"{key}.alpha"]
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


def _read_table(name: str, left: Tensor, right: Tensor, alpha: Tensor) -> RowUpdate:
    """A table's update from its factors: the left one says which rows change."""
    update = _read_update(name, left, right, alpha)
    rows = update.left.argmax(0)
    found = RowUpdate(rows, update.right, len(update.left))
    if len(rows.unique()) != len(rows) or not torch.equal(found.left, update.left):
        raise FileError(f"the factors of {name[:80]!r} change more than rows of a table. Save the erasure again.")
    return found


def _read_update(name: str, left: Tensor, right: Tensor, alpha: Tensor) -> LowRankUpdate:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0] or not left.shape[1]:
        raise FileError(
            f"the factors of {name[:80]!r} have the shapes {list(left.shape)} and {list(right.shape)}; expected "
            "[outputs, rank] and [rank, inputs]. Save the erasure again."
        )
    if alpha.numel() != 1 or float(alpha) != left.shape[1]:
        raise FileError(f"alpha of {name[:80]!r} is not its rank {left.shape[1]}: it was rescaled. Save it again.")
    if not (left.isfinite().all() and right.isfinite().all()):
        raise FileError(f"the update of {name[:80]!r} has values that are no numbers. Save the erasure again.")
    return LowRankUpdate(left.float(), right.float())
