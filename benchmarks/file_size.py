"""How large the file of one erased concept is at SD1.5's real shapes. Weights are random: nothing is downloaded.

`python -m benchmarks.file_size` prints ranks, sizes and times.
"""

from __future__ import annotations

import time

import torch
from safetensors.torch import save

from erasepro_core import Options, parse_request
from erasepro_core.files import pack as packed
from tests import pack

from .real_size import REQUEST, model_of

REQUESTS = {
    "style, one name": REQUEST,
    "object, three names": parse_request("cat | kitten | feline -> dog", "object", "horse\nbird\nfox"),
}


def main() -> None:
    """Prints one line for each request and precision."""
    model, clip = model_of("sd1")
    for name, request in REQUESTS.items():
        began = time.perf_counter()
        report = pack.module("nodes.solve").solve_and_check(model, clip, request, Options())
        solution = report.solution
        ranks = [record.rank for record in solution.layers]
        print(f"{name}: start {solution.start}, ranks {min(ranks)} to {max(ranks)}, leak {report.leak_unseen[0]:.3f}, "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        for precision in ("float32", "float16"):
            tensors, metadata = packed(report, precision)
            header = sum(len(key) + len(text) for key, text in metadata.items())
            print(
                f"  {precision}: {len(save(tensors, metadata)) / 1e6:.2f} MB, metadata {header / 1e6:.2f} MB",
                flush=True,
            )


if __name__ == "__main__":
    with torch.inference_mode():
        main()
