"""The bytes of a file: a safetensors container with limits, strict JSON, and a checksum of everything in it.

Nothing in a file is trusted: what does not fit raises FileError, and nothing else happens.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from torch import Tensor

MAX_BYTES = 2**31
MAX_HEADER = 2**24
PREFIX = "erasepro."
CHECKSUM = PREFIX + "checksum"

_DTYPES = ("F16", "BF16", "F32")


class FileError(ValueError):
    """A file that is no erasure, is damaged, or was made by a newer pack."""


def contents(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Raises:
        FileError: what is wrong with it, and what to do.
        OSError: the file cannot be read.
    """
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            metadata = _metadata(stream.read(8), size, lambda n: stream.read(n))
            stream.seek(0)
            return tensors_of(stream.read(size)), metadata
    except SafetensorError as error:
        raise FileError(f"the file is damaged: {error}. Nothing was loaded. Get or save it again.") from error


def _metadata(start: bytes, size: int, more: Callable[[int], bytes]) -> dict[str, str]:
    """The metadata of a header, once the header has been checked; the library would trust its sizes and types."""
    length = int.from_bytes(start, "little")
    if len(start) < 8 or size > MAX_BYTES or not 2 <= length <= min(MAX_HEADER, size - 8):
        raise FileError(
            f"it has {size} bytes and says that {length} of them are its header, which no erasure does. It is damaged "
            "or of another kind; get or save it again."
        )
    header = parsed(more(length), "its header")
    metadata = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise FileError("its header is not one of a safetensors file. Get or save it again.")
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES:
            kind = entry.get("dtype") if isinstance(entry, dict) else entry
            raise FileError(f"the tensor {name[:80]!r} is of the kind {str(kind)[:20]}; expected {', '.join(_DTYPES)}.")
    return metadata


def parsed(text: str | bytes, what: str) -> Any:
    """Strict JSON: no key twice, no NaN, or FileError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FileError(f"{what} names something twice. Get or save the file again.")
        return found

    def refuse(word: str) -> None:
        raise FileError(f"{what} contains {word}, which is not a number of JSON.")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{what} is not readable JSON ({type(error).__name__}). Get or save the file again.") from error


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Short name of everything in a file but this name itself and entries that are not ErasePro's."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        sha.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    ours = {key: text for key, text in metadata.items() if key.startswith(PREFIX) and key != CHECKSUM}
    sha.update(json.dumps(ours, sort_keys=True).encode())
    return sha.hexdigest()[:16]


def entry(metadata: Mapping[str, str], name: str) -> str:
    """One entry of our own, or FileError if there is none."""
    if PREFIX + name not in metadata:
        raise FileError(f"the metadata has no entry {PREFIX}{name}. Save the erasure again.")
    return metadata[PREFIX + name]


def parsed_entry(metadata: Mapping[str, str], name: str, kind: type) -> Any:
    """One entry as the JSON value of a kind that it holds."""
    return typed(parsed(entry(metadata, name), f"the metadata entry {PREFIX}{name}"), kind)


def typed(value: Any, kind: type | tuple[type, ...]) -> Any:
    """A JSON value, or TypeError if it is of another kind than expected."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:40]!r} is not of the expected kind")
    return value


def number(value: Any) -> float:
    """A finite number of a JSON value, or ValueError."""
    found = float(typed(value, (int, float)))
    if not math.isfinite(found):
        raise ValueError(f"{found} is not a finite number")
    return found


def numbers_of(values: Any, count: int | None = None) -> tuple[float, ...]:
    """Finite numbers of a JSON list, or ValueError if there are not `count` of them."""
    found = tuple(map(number, typed(values, list)))
    if count is not None and len(found) != count:
        raise ValueError(f"{len(found)} numbers where {count} are expected")
    return found
