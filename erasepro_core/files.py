"""An erasure as one safetensors file: a LoRA for stock loaders; request, measures and checks in its metadata.

docs/format.md specifies the format. Nothing in a file is trusted: what does not fit raises FileError, and nothing else
happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

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
from .families.companions import with_companions, without_companions
from .layout import NAMING, NAMING_1, NAMING_2, Naming, read_updates, written_updates
from .plain import as_json
from .readers import losses
from .report import PACK_VERSION, Report
from .solution import Solution
from .update import LowRankUpdate, RowUpdate, Update, UpdateSet, compressed, trimmed

FORMAT = 3
"""Grows when an older reader could misunderstand a file; every older number stays readable."""
PRECISIONS = {"float16": torch.float16, "float32": torch.float32}
LOSS = 1e-3
"""Share of any concept's gap that each layer of a half precision file may leave open, for a file a quarter as large."""
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
    written = written_updates(_family(solution.updates.family), _rounded(solution, PRECISIONS[precision]))
    tensors = with_companions(written)
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
        "readers": losses(solution.updates.family, written),
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


def _read_3(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    _require_same("checksum", checksum(tensors, metadata), entry(metadata, "checksum"))
    return _report(tensors, metadata, NAMING)


def _read_2(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    """Layers had the names that ComfyUI alone knows, but for those of Stable Diffusion 1, 2 and XL."""
    _require_same("checksum", checksum(tensors, metadata), entry(metadata, "checksum"))
    return _report(tensors, metadata, NAMING_2)


def _read_1(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    """UNet layers had the UNet's own names, and `digest` was of the tensors alone."""
    report = _report(tensors, metadata, NAMING_1)
    _require_same("digest", report.solution.updates.checksum(), entry(metadata, "digest"))
    return replace(report, digest=entry(metadata, "recipe"))


_READERS: Mapping[str, Callable[[Mapping[str, Tensor], Mapping[str, str]], Report]] = {
    "1": _read_1,
    "2": _read_2,
    "3": _read_3,
}


def _require_same(what: str, found: str, known: str) -> None:
    if found != known:
        raise FileError(
            f"its contents have the {what} {found}, its metadata says {known[:20]}: it was changed after it was "
            "saved. Load it as a LoRA if you trust it, or save the erasure again."
        )


def _report(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], naming: Naming) -> Report:
    values = [typed(value, dict) for value in parsed_entry(metadata, "layers", list)]
    layers = tuple(map(read_layer, values))
    request = read_request(parsed_entry(metadata, "request", dict))
    solved, measured = read_measures(parsed_entry(metadata, "measures", dict), len(request.concepts))
    solution = Solution(
        updates=read_updates(_family(entry(metadata, "family")), layers, without_companions(tensors), naming),
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
