"""An erasure as one safetensors file: a LoRA for any stock loader; request, measures and checks in its metadata.

docs/format.md specifies the format. Nothing in a file is trusted: what does not fit raises FileError, and nothing else
happens.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from torch import Tensor

from .audit import Check
from .concept import ConceptError, PromptPair, Request, parse_request
from .families import FAMILIES, Family
from .families.kohya import kohya_names
from .plan import METHODS, PRESERVES, SCHEDULES, WHERE, Options
from .progressive import LayerRecord, Solution, Trial
from .report import PACK_VERSION, Report, Residual
from .update import Erasure, LowRankUpdate, compressed, trimmed

FORMAT = 2
"""Grows when an older reader could misunderstand a file; every older number stays readable."""
PRECISIONS = {"float16": torch.float16, "float32": torch.float32}
LOSS = 1e-3
"""Share of any concept's gap that each layer of a half precision file may leave open, for a file a quarter as large."""
MAX_BYTES = 2**31
MAX_HEADER = 2**24
MAX_SENTENCE = 500
SIDES = ("text_encoder", "diffusion_model")
PREFIX = "erasepro."
CHECKSUM = PREFIX + "checksum"

_DTYPES = ("F16", "BF16", "F32")
_CHOICES = {"where": WHERE, "schedule": SCHEDULES, "preserve": PRESERVES, "method": METHODS}


class FileError(ValueError):
    """A file that is no erasure, is damaged, or was made by a newer pack."""


def pack(report: Report, precision: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Args:
        report: an erasure and what was measured of it.
        precision: `float32` keeps every bit; `float16` rounds, and leaves out what hardly counts (`LOSS`).

    Raises:
        FileError: an update has numbers that this precision cannot hold.
    """
    family = _family(report.solution.erasure.family)
    stored = _rounded(report.solution, PRECISIONS[precision])
    tensors: dict[str, Tensor] = {}
    for side, updates in zip(SIDES, stored.parts(), strict=True):
        for key, update in zip(_keys(family, side, updates), updates.values(), strict=True):
            # Layers with the same input share their right factor in memory; a file has no sharing.
            tensors[f"{key}.lora_up.weight"] = update.left.contiguous().clone()
            tensors[f"{key}.lora_down.weight"] = update.right.contiguous().clone()
            tensors[f"{key}.alpha"] = torch.tensor(float(update.rank))
    texts = _described(report, stored)
    metadata = {PREFIX + key: t if isinstance(t, str) else _text(t) for key, t in texts.items()}
    return tensors, metadata | {CHECKSUM: checksum(tensors, metadata)}


def read(path: Path) -> Report:
    """The erasure of a file, checked from the first byte to the last.

    Raises:
        FileError: naming the file, what is wrong with it and what to do.
        OSError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            metadata = _checked_header(file.read(8), size, lambda n: file.read(n))
            file.seek(0)
            tensors = tensors_of(file.read(size))
        return unpack(tensors, metadata)
    except SafetensorError as error:
        raise FileError(f"{path.name} is damaged: {error}. Nothing was loaded. Get or save it again.") from error
    except FileError as error:
        raise FileError(f"{path.name}: {error}") from error


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


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Short name of everything in a file but this name itself and entries that are not ErasePro's."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        sha.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    ours = {key: text for key, text in metadata.items() if key.startswith(PREFIX) and key != CHECKSUM}
    sha.update(json.dumps(ours, sort_keys=True).encode())
    return sha.hexdigest()[:16]


def _keys(family: Family, side: str, names: Collection[str]) -> list[str]:
    """What the file calls the layers of a side."""
    return kohya_names([family.lora_name(side, name) for name in names])


# -- writing


def _rounded(solution: Solution, dtype: torch.dtype) -> Erasure:
    """The erasure as the file will hold it; in half precision with balanced factors and without what hardly counts."""
    if dtype == torch.float32:
        return solution.erasure
    loss = {record.name: LOSS * record.whole for record in solution.layers}

    def rounded(name: str, update: LowRankUpdate) -> LowRankUpdate:
        small = compressed(trimmed(update, loss[name]), torch.finfo(dtype).eps)
        left, right = small.left.to(dtype), small.right.to(dtype)
        if not (left.isfinite().all() and right.isfinite().all()):
            raise FileError(f"the update of {name} has numbers too large for half precision. Save it in float32.")
        return LowRankUpdate(left, right)

    parts = [{name: rounded(name, update) for name, update in part.items()} for part in solution.erasure.parts()]
    return Erasure(solution.erasure.family, *parts)


def _described(report: Report, stored: Erasure) -> dict[str, Any]:
    """Every metadata entry, by its name without prefix."""
    solution = report.solution
    return {
        "format": str(FORMAT),
        "pack": PACK_VERSION,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "family": stored.family,
        "digest": report.digest,
        "request": {
            "concepts": [{"text": str(c), "kind": c.kind.name} for c in solution.request.concepts],
            "preserves": solution.request.preserves,
            "everyday": solution.request.everyday,
        },
        "options": json.dumps(asdict(solution.options)),  # unrounded, so that they solve to the same again
        "measures": {
            "leak_training": report.leak_training,
            "leak_unseen": report.leak_unseen,
            "leak_unlisted": report.leak_unlisted,
            "drift": dict(report.drift),
            "start": solution.start,
            "trials": [asdict(trial) for trial in solution.trials],
            "seconds": round(solution.seconds, 2),
        },
        "layers": [_layer(report, record, stored) for record in solution.layers],
        "checks": [
            {
                "concept": check.pair.concept,
                "name": check.pair.target,
                "template": check.pair.template,
                "target": check.target.tolist(),
                "anchor": check.anchor.tolist(),
            }
            for check in report.checks
        ],
    }


def _layer(report: Report, record: LayerRecord, stored: Erasure) -> dict[str, Any]:
    left = report.residuals[record.name]
    return {
        "side": SIDES[0] if record.name in stored.text_encoder else SIDES[1],
        "name": record.name,
        "depth": record.depth,
        "gap": record.gap,
        "required": record.required,
        "size": record.size,
        "rank": record.rank,
        "condition": record.condition,
        "residual_kept": left.kept,
        "residual_all": left.all,
        "fingerprint": report.fingerprints.get(record.name, ()),
    }


def _text(value: Any) -> str:
    """JSON with five digits a number; what is no number is null."""

    def short(part: Any) -> Any:
        if isinstance(part, float):
            return float(f"{part:.5g}") if math.isfinite(part) else None
        if isinstance(part, Mapping):
            return {key: short(each) for key, each in part.items()}
        return [short(each) for each in part] if isinstance(part, (list, tuple)) else part

    return json.dumps(short(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


# -- reading


def _checked_header(start: bytes, size: int, more: Callable[[int], bytes]) -> dict[str, str]:
    """The metadata, after a look at everything that the library would otherwise take our word for."""
    length = int.from_bytes(start, "little")
    if len(start) < 8 or size > MAX_BYTES or not 2 <= length <= min(MAX_HEADER, size - 8):
        raise FileError(
            f"it has {size} bytes and says that {length} of them are its header, which no erasure does. It is damaged "
            "or of another kind; get or save it again."
        )
    header = _parsed(more(length), "its header")
    metadata = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise FileError("its header is not one of a safetensors file. Get or save it again.")
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES:
            kind = entry.get("dtype") if isinstance(entry, dict) else entry
            raise FileError(f"the tensor {name[:80]!r} is of the kind {str(kind)[:20]}; expected {', '.join(_DTYPES)}.")
    return metadata


def _parsed(text: str | bytes, what: str) -> Any:
    """JSON without doubled keys and without what is no JSON."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FileError(f"{what} names something twice. Get or save the file again.")
        return found

    def refuse(word: str) -> None:
        raise FileError(f"{what} contains {word}, which is no number.")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{what} is not readable JSON ({type(error).__name__}). Get or save the file again.") from error


def _read_2(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    known, found = _entry(metadata, "checksum"), checksum(tensors, metadata)
    if found != known:
        raise FileError(
            f"its contents have the checksum {found}, its metadata says {known[:20]}: it was changed after it was "
            "saved. Load it as a LoRA if you trust it, or save the erasure again."
        )
    return _report(tensors, metadata, _keys)


def _read_1(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Report:
    """UNet layers had the UNet's own names, and `digest` was of the tensors alone."""

    def own_names(family: Family, side: str, names: Collection[str]) -> list[str]:
        return [family.lora_name(side, name) for name in names]

    report = _report(tensors, metadata, own_names)
    known, found = _entry(metadata, "digest"), report.solution.erasure.checksum()
    if found != known:
        raise FileError(
            f"its tensors have the digest {found}, its metadata says {known[:20]}: it was changed after it was "
            "saved. Load it as a LoRA if you trust it, or save the erasure again."
        )
    return replace(report, digest=_entry(metadata, "recipe"))


_READERS: Mapping[str, Callable[[Mapping[str, Tensor], Mapping[str, str]], Report]] = {"1": _read_1, "2": _read_2}

_Keys = Callable[[Family, str, Collection[str]], list[str]]
"""What a format calls the layers of a side."""


def _entry(metadata: Mapping[str, str], key: str) -> str:
    if PREFIX + key not in metadata:
        raise FileError(f"the metadata has no entry {PREFIX}{key}. Save the erasure again.")
    return metadata[PREFIX + key]


def _report(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], keys: _Keys) -> Report:
    def entry(key: str, kind: type) -> Any:
        return _is(_parsed(_entry(metadata, key), f"the metadata entry {PREFIX}{key}"), kind)

    layers = [_is(layer, dict) for layer in entry("layers", list)]
    request, measures = _request(entry("request", dict)), entry("measures", dict)
    count = len(request.concepts)
    solution = Solution(
        erasure=_erasure(_family(_entry(metadata, "family")), layers, tensors, keys),
        request=request,
        options=_options(entry("options", dict)),
        start=_is(measures["start"], int),
        layers=tuple(map(_record, layers)),
        trials=tuple(Trial(_is(t["start"], int), _number(t["leak"]), _number(t["drift"])) for t in measures["trials"]),
        seconds=_number(measures["seconds"]),
    )
    return Report(
        solution=solution,
        residuals={e["name"]: Residual(_number(e["residual_kept"]), _number(e["residual_all"])) for e in layers},
        leak_training=_numbers(measures["leak_training"], count),
        leak_unseen=_numbers(measures["leak_unseen"], count),
        leak_unlisted=_leaks(measures.get("leak_unlisted", [None] * count), count),
        drift={_is(name, str): _number(moved) for name, moved in measures["drift"].items()},
        checks=_checks(entry("checks", list), request),
        fingerprints={e["name"]: _numbers(e["fingerprint"], 2) for e in layers if e["fingerprint"]},
        digest=_entry(metadata, "digest"),
    )


def _family(name: str) -> Family:
    for family in FAMILIES:
        if family.name == name:
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise FileError(f"it is for models of the family {name[:40]!r}; this pack knows {known}. Update ErasePro.")


def _erasure(family: Family, layers: list[dict[str, Any]], tensors: Mapping[str, Tensor], keys: _Keys) -> Erasure:
    parts: dict[str, dict[str, LowRankUpdate]] = {side: {} for side in SIDES}
    unused = set(tensors)
    for side, part in parts.items():
        names = [_is(layer["name"], str) for layer in layers if layer["side"] == side]
        for name, key in zip(names, keys(family, side, names), strict=True):
            own = [f"{key}.lora_up.weight", f"{key}.lora_down.weight", f"{key}.alpha"]
            if name in part or not unused.issuperset(own):
                raise FileError(
                    f"the layer {name[:80]!r} of its metadata has no tensors of its own. Save the erasure again."
                )
            unused.difference_update(own)
            part[name] = _update(name, *(tensors[each] for each in own))
    if unused or not layers:
        first = f"such as {min(unused)[:80]!r} " if unused else ""
        raise FileError(
            f"{len(unused)} of its {len(tensors)} tensors {first}are of no layer that its metadata names: they "
            "belong to another model or another file. Save the erasure again."
        )
    if sum(map(len, parts.values())) != len(layers):
        raise FileError(f"its metadata names a layer on no side of a model; the sides are {', '.join(SIDES)}.")
    return Erasure(family.name, parts[SIDES[0]], parts[SIDES[1]])


def _update(name: str, left: Tensor, right: Tensor, alpha: Tensor) -> LowRankUpdate:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0] or not left.shape[1]:
        raise FileError(
            f"the factors of {name[:80]!r} have the shapes {list(left.shape)} and {list(right.shape)}; expected "
            "[outputs, rank] and [rank, inputs]. Save the erasure again."
        )
    if alpha.numel() != 1 or float(alpha) != left.shape[1]:
        raise FileError(
            f"alpha of {name[:80]!r} is not its rank {left.shape[1]}: the file was rescaled. Save it again."
        )
    if not (left.isfinite().all() and right.isfinite().all()):
        raise FileError(f"the update of {name[:80]!r} has values that are no numbers. Save the erasure again.")
    return LowRankUpdate(left.float(), right.float())


def _request(value: Mapping[str, Any]) -> Request:
    preserves, everyday = ("\n".join(_is(t, str) for t in _is(value[k], list)) for k in ("preserves", "everyday"))
    if any(len(_is(c["text"], str)) > MAX_SENTENCE for c in value["concepts"]):
        raise FileError(f"a concept of its request has more than {MAX_SENTENCE} letters.")
    concepts = [parse_request(_is(c["text"], str), _is(c["kind"], str), preserves, everyday) for c in value["concepts"]]
    if not concepts or any(len(each.concepts) != 1 for each in concepts):
        raise FileError("its request must name concepts one by one. Save the erasure again.")
    whole = concepts[0]
    for each in concepts[1:]:
        whole = whole.joined(each)
    return whole


def _options(value: Mapping[str, Any]) -> Options:
    defaults = asdict(Options())
    if unknown := set(value) - set(defaults):
        raise FileError(f"it was solved with options that this pack does not know: {sorted(unknown)}. Update ErasePro.")
    for name, choices in _CHOICES.items():
        if value.get(name, choices[0]) not in choices:
            raise FileError(f"its option {name} is {str(value[name])[:40]!r}; expected one of {', '.join(choices)}.")
    kinds = {each.name: type(defaults[each.name]) for each in fields(Options)}
    return Options(**{name: kinds[name](_is(v, (kinds[name], int))) for name, v in value.items()})


def _record(layer: Mapping[str, Any]) -> LayerRecord:
    """What a layer needed and got; which mixes of tokens it holds is not in a file."""
    return LayerRecord(
        name=layer["name"],
        depth=_is(layer["depth"], int),
        gap=_number(layer["gap"]),
        required=_number(layer["required"]),
        size=_number(layer["size"]),
        rank=_is(layer["rank"], int),
        condition=math.nan if layer["condition"] is None else _number(layer["condition"]),
        kept=torch.zeros(0, 0),
    )


def _checks(values: list[Any], request: Request) -> tuple[Check, ...]:
    return tuple(_check(_is(value, dict), request) for value in values)


def _check(value: Mapping[str, Any], request: Request) -> Check:
    index, template = _is(value["concept"], int), _is(value["template"], str)
    concept = dict(enumerate(request.concepts))[index]
    if value["name"] not in concept.names or "{}" not in template or len(template) > MAX_SENTENCE:
        raise FileError("one of its checks is not about its concepts. Save the erasure again.")
    target, anchor = (torch.tensor([_numbers(row) for row in _is(value[k], list)]) for k in ("target", "anchor"))
    if target.ndim != 2 or target.shape != anchor.shape or not target.numel():
        raise FileError("one of its checks has sketches of different sizes. Save the erasure again.")
    return Check(PromptPair(template, value["name"], concept.anchor, index), target, anchor)


def _is(value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:40]!r} is not of the expected kind")
    return value


def _number(value: Any) -> float:
    number = float(_is(value, (int, float)))
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number")
    return number


def _leaks(values: Any, count: int) -> tuple[float | None, ...]:
    """One a concept; null where there was nothing to measure."""
    known = iter(_numbers([value for value in _is(values, list) if value is not None]))
    leaks = tuple(None if value is None else next(known) for value in values)
    if len(leaks) != count:
        raise ValueError(f"{len(leaks)} leaks where {count} are expected")
    return leaks


def _numbers(values: Any, count: int | None = None) -> tuple[float, ...]:
    numbers = tuple(map(_number, _is(values, list)))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers where {count} are expected")
    return numbers
