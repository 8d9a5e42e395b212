"""How large the file of one erased concept is at SD1.5's real shapes. Weights are random: nothing is downloaded.

`python -m benchmarks.file_size` prints ranks, sizes, times, and the leak of what comes back out of the smaller file.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from safetensors.torch import save

from erasepro_core import Options, Report, parse_request, verify
from erasepro_core.files import pack as packed
from erasepro_core.files import unpack
from tests import pack

from .shapes import model_of
from .timed import request_of

REQUESTS = {
    "style, one name": request_of(1),
    "object, three names": parse_request("cat | kitten | feline -> dog", "object", "horse\nbird\nfox"),
}


def main() -> None:
    """Prints one line for each request and precision."""
    model, clip = model_of("sd1")
    host = pack.module("nodes.host")
    original = host.HostPath(model, clip)
    for name, request in REQUESTS.items():
        began = time.perf_counter()
        report = pack.module("nodes.solve").solve_and_check(model, clip, request, Options())
        solution = report.solution
        print(f"{name}: start {solution.start}, {time.perf_counter() - began:.0f} s", flush=True)
        print("  solved", _figures(report), flush=True)
        files = {precision: packed(report, precision) for precision in ("float32", "float16")}
        for precision, (tensors, metadata) in files.items():
            header = sum(len(key) + len(text) for key, text in metadata.items())
            print(f"  {precision}: {len(save(tensors, metadata)) / 1e6:.2f} MB, metadata {header / 1e6:.2f} MB")
        small = unpack(*files["float16"]).solution.updates
        edited = host.HostPath(*host.with_erasure(model, clip, small, 1.0))
        print("  float16", _figures(verify(replace(solution, updates=small), original, edited, {})), flush=True)


def _figures(report: Report) -> str:
    ranks = [update.rank for part in report.solution.updates.parts() for update in part.values()]
    return (
        f"ranks {min(ranks)} to {max(ranks)}, {sum(ranks)} in all, leak {report.leak_training[0]:.4f} training, "
        f"{report.leak_unseen[0]:.4f} unseen, residual {report.residual_max:.1e}"
    )


if __name__ == "__main__":
    with torch.inference_mode():
        main()
