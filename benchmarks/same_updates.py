"""Names every bit of some updates, to show that a change of the code changed none of them.

`python -m benchmarks.same_updates` solves a few requests through the nodes and prints, for each, its digest and a hash
of every factor. Run it at two commits on one machine and compare: bits differ between processors, so nothing is
asserted.
The script uses only what no commit may change: node inputs by their ids, and the tensors of a float32 file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from tests import pack

pack.comfy_on_cpu()

from tests.host.families.models import MODELS  # noqa: E402
from tests.mini import model as mini  # noqa: E402

Lines = tuple[tuple[str, str, str], ...]
"""Concepts, kind and preserves of each Define Concepts node."""

SOLVE = {
    "where": "text encoder and cross-attention",
    "schedule": "progressive",
    "preserve": "exact",
    "preserve_strength": 1.0,
    "templates": 6,
    "tolerance": 0.1,
    "method": "ErasePro",
}
OBJECT = ("circle | disc -> square", "object", "triangle\nring")
STYLE = ("Hokusai | striped -> art", "style", "Turner\nSeurat")
PERSON = ("Ada -> a robot", "person", "Bolt")
EXPLICIT = ("bare robot | uncovered robot -> robot wearing a coat", "explicit content", "Cleo")
COMPOUND = ("red circle -> blue square", "object", "")

CASES: tuple[tuple[str, str, Lines, dict[str, Any]], ...] = (
    ("object with preserves", "mini", (OBJECT,), {}),
    ("all sentences", "mini", (OBJECT,), {"templates": 28}),
    ("style of three tokens", "mini", (STYLE,), {}),
    ("person", "mini", (PERSON,), {}),
    ("explicit content", "mini", (EXPLICIT,), {}),
    ("compound", "mini", (COMPOUND,), {}),
    ("several concepts of several kinds", "mini", (OBJECT, STYLE, PERSON), {}),
    ("weighted, strength 3", "mini", (OBJECT,), {"preserve": "weighted", "preserve_strength": 3.0}),
    ("preserve off", "mini", (OBJECT,), {"preserve": "off"}),
    ("text encoder alone", "mini", (OBJECT,), {"where": "text encoder"}),
    ("cross-attention alone", "mini", (OBJECT,), {"where": "cross-attention"}),
    ("joint", "mini", (OBJECT,), {"schedule": "joint"}),
    ("deep only", "mini", (OBJECT,), {"schedule": "deep only"}),
    ("UCE", "mini", (OBJECT,), {"method": "UCE"}),
    ("UCE with templates", "mini", (OBJECT,), {"method": "UCE with templates"}),
    *((f"tiny {family}", family, (("circle -> square", "object", "ring"),), {}) for family in MODELS),
)


def hashed(family: str, lines: Lines, options: dict[str, Any]) -> tuple[str, str, int]:
    """Digest, hash of all factors, and their number."""
    define, solve = pack.module("nodes.define").DefineConcepts, pack.module("nodes.solve").Solve
    request = None
    for text, kind, preserve in lines:
        request = define.execute(text, kind, preserve, "", request).args[0]
    load: Callable[[], Any] = mini.load if family == "mini" else MODELS[family]
    model, clip = load()[:2]
    report = solve.execute(model, clip, request, **(SOLVE | options)).args[0]
    tensors, metadata = pack.module("erasepro_core.files").pack(report, "float32")
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return metadata["erasepro.digest"], sha.hexdigest()[:16], len(tensors) // 3


def main() -> None:
    """One row a case."""
    print("| request | digest | factors | layers |\n| --- | --- | --- | --- |")
    for name, family, lines, options in CASES:
        print("|", " | ".join(map(str, (name, *hashed(family, lines, options)))), "|", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)  # one order of adding up
    with torch.inference_mode():
        main()
