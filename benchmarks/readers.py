"""What is left of a concept behind each program that reads a file: the tables of docs/format.md.

`python -m benchmarks.readers [family ...]` solves one concept on the tiny model of every family, three times: as Solve
does by default but for *own_tokens*, with *where* set to cross-attention, and with *where* set to text encoder. Of each
file the layers that a program takes (`erasepro_core/readers.py`; tests hold the rules to the programs where they can be
run) are applied, and the leak is measured in the sentences that were solved on.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import torch

from tests import pack

pack.comfy_on_cpu()

from erasepro_core.files import pack as packed  # noqa: E402
from erasepro_core.layout import NAMING  # noqa: E402
from erasepro_core.methods import Where  # noqa: E402
from erasepro_core.readers import layers_of, taken  # noqa: E402
from erasepro_core.solution import Side  # noqa: E402
from erasepro_core.update import UpdateSet  # noqa: E402
from erasepro_core.verify import verify  # noqa: E402
from tests.host.families import ALL_DIRECTIONS, REQUEST, every_layer, one_case, quick  # noqa: E402
from tests.host.families.models import MODELS  # noqa: E402

ALONE = "text encoders alone"
ONLY, FORGE, KOHYA = "ComfyUI, LoraLoaderModelOnly", "Forge", "kohya's sd-scripts"
COLUMNS = (
    (Where.BOTH, "ComfyUI, Load LoRA"),
    (Where.BOTH, ONLY),
    (Where.BOTH, ALONE),
    (Where.CROSS_ATTENTION, ONLY),
    (Where.BOTH, "diffusers"),
    (Where.CROSS_ATTENTION, "diffusers"),
    (Where.BOTH, FORGE),
    (Where.BOTH, KOHYA),
    (Where.BOTH, "InvokeAI"),
    (Where.TEXT_ENCODER, "InvokeAI"),
)


class Erased:
    """One erasure of a tiny model, and what is left of it with some of its layers."""

    def __init__(self, family: str, model: Any, clip: Any, where: Where):
        host, solve = pack.module("nodes.host"), pack.module("nodes.solve")
        self._family, self._both, self._apply = family, (model, clip), host.with_erasure
        self._original, self._path = host.HostPath(model, clip), host.HostPath
        self.report = solve.solve_and_check(model, clip, REQUEST, replace(ALL_DIRECTIONS, where=where))
        self._tensors = packed(self.report, "float32")[0]
        self._known: dict[frozenset[str], float] = {frozenset(): 1.0}

    def behind(self, program: str) -> str:
        """How many layers a program takes, of how many, and the leak behind it."""
        wanted = taken(program, self._family, self._tensors) if program != ALONE else ()
        updates, count = self.report.solution.updates, 0
        parts: list[dict[str, Any]] = []
        for side, part in zip(Side, updates.parts(), strict=True):
            keys = dict(zip(part, NAMING.layers(self._original.family, side, part), strict=True))
            every = program == ALONE and side is Side.TEXT_ENCODER
            parts.append({name: update for name, update in part.items() if every or keys[name] in wanted})
            count += len(part)
        found = sum(map(len, parts))
        assert found <= len(layers_of(self._tensors))
        return f"{found} of {count}: {self._leak(parts):.3f}"

    def _leak(self, parts: list[dict[str, Any]]) -> float:
        names = frozenset(name for part in parts for name in part)
        if names not in self._known:
            edited = self._path(*self._apply(*self._both, UpdateSet(self._family, *parts), 1.0))
            self._known[names] = verify(self.report.solution, self._original, edited, {}).leak_training[0]
        return self._known[names]


def row(family: str) -> list[str]:
    """What each column says of a family; a dash where an erasure finds no room."""
    model, clip = MODELS[family]()
    erased: dict[Where, Erased | None] = {}
    for where in dict.fromkeys(where for where, _ in COLUMNS):
        try:
            erased[where] = Erased(family, model, clip, where)
        except ValueError as error:
            print(f"{family}, {where.value}: {error}", file=sys.stderr)
            erased[where] = None
    cells = [(erased[where], program) for where, program in COLUMNS]
    return [each.behind(program) if each else "-" for each, program in cells]


def main() -> None:
    """One row a family."""
    heads = [program if where is Where.BOTH else f"{program}; {where.value}" for where, program in COLUMNS]
    print("| family |", " | ".join(heads), "|\n" + "| --- " * (len(heads) + 1) + "|")
    for family in sys.argv[1:] or MODELS:
        with quick(), every_layer(), one_case(), torch.inference_mode():
            print(f"| `{family}` |", " | ".join(row(family)), "|", flush=True)


if __name__ == "__main__":
    main()
