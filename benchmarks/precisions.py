"""What is left of a concept when the model's weights are rounded: every family, tiny and random, in every precision.

`python -m benchmarks.precisions` prints a table. The solve is told to correct every direction in every layer, as the
tests of every family do, so that what remains is rounding alone.
"""

from __future__ import annotations

import sys

import torch

from tests import pack

pack.comfy_on_cpu()

from tests.host.families import EXACT, REQUEST, every_layer, one_case, quick  # noqa: E402
from tests.host.families.models import MODELS, rounded  # noqa: E402

PRECISIONS = torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn


def main() -> None:
    """Prints residual and leak by family and precision."""
    solve = pack.module("nodes.solve").solve_and_check
    print("| family |", " | ".join(str(dtype).removeprefix("torch.") for dtype in PRECISIONS), "|")
    print("| --- " * (1 + len(PRECISIONS)) + "|")
    for name in sys.argv[1:] or MODELS:
        reports = [solve(*rounded(name, dtype), REQUEST, EXACT) for dtype in PRECISIONS]
        cells = (f"{r.residual_max:.1e}, leak {r.leak_training[0]:.3f}" for r in reports)
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    with torch.inference_mode(), quick(), every_layer(), one_case():
        main()
