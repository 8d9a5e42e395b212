"""Are residual and leak what a forward pass of the patched layers gives, in every form in which weights are kept?

`python -m benchmarks.forward` prints a table: a tiny SD1 with random weights, solved in each form, then loaded whole
and with lowvram, each figure by the weights that the pack reads and by what the layers themselves answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch

from tests import pack

pack.comfy_on_cpu()

from comfy.quant_ops import QuantizedTensor  # noqa: E402

from erasepro_core import Report, TextInput  # noqa: E402
from erasepro_core.verify import verify  # noqa: E402
from tests.host.families import ALL_DIRECTIONS, REQUEST, quick  # noqa: E402
from tests.host.families.models import MODELS  # noqa: E402
from tests.host.precisions import KINDS, keep_as  # noqa: E402

host = pack.module("nodes.host")
CPU = torch.device("cpu")


class Answers(host.HostPath):
    """A text path whose weights are what the layers answer to unit vectors, in the precision they compute in."""

    def conditioned(self, text_input: TextInput) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and weight of each linear."""
        model = self.model.model
        for name in text_input.layers:
            layer = model.get_submodule(name)
            # A quantised tensor that the host has patched takes on a CPU only inputs of the dtype that it was made of.
            packed = isinstance(layer.weight, QuantizedTensor) and not layer.weight_function
            dtype = layer.weight._layout_params["orig_dtype"] if packed else model.manual_cast_dtype
            units = torch.eye(layer.in_features, dtype=dtype)
            yield name, (layer(units) - layer(0 * units)).float().T.contiguous()


def built(kind: str):
    """A tiny SD1 in one form; it computes in what such a model computes in."""
    model, clip = MODELS["sd1"]()
    keep_as(kind, model.model.diffusion_model)
    # Text encoders compute in float32, which the host's quantised tensors do not take on a CPU.
    keep_as("bfloat16" if kind == "quantised tensor" else kind, clip.cond_stage_model)
    half = {"float32": torch.float32, "float16": torch.float16}.get(kind, torch.bfloat16)
    model.model.manual_cast_dtype = half
    return model, clip


def loaded(both, lowvram: bool) -> None:
    """Loads a MODEL and a CLIP whole, or with every patch left to the forward pass."""
    for patcher in (both[0], both[1].patcher):
        patcher.load(CPU, lowvram_model_memory=0 if lowvram else 10**12)
    both[1].load_model = lambda *_, **__: both[1].patcher  # encoding would load a CLIP whole where memory allows


def worst(report: Report, answered: Report) -> float:
    """Largest difference of a figure from what the layers answer, as a share of it."""
    pairs = [(getattr(report.residuals[n], part), getattr(each, part)) for n, each in answered.residuals.items()
             for part in ("kept", "all")]  # fmt: skip
    pairs += list(zip(report.leak_training + report.leak_unseen, answered.leak_training + answered.leak_unseen,
                      strict=True))  # fmt: skip
    return max(abs(one - other) / other for one, other in pairs)


def main() -> None:
    """Prints a line for each form and way of loading."""
    print(
        "| weights | loaded | residual, read | residual, answered | leak, read | leak, answered | largest difference |"
    )
    print("| --- " * 7 + "|")
    for kind in sys.argv[1:] or KINDS:
        both = built(kind)
        solution = pack.module("nodes.solve").solve_and_check(*both, REQUEST, ALL_DIRECTIONS).solution
        for lowvram in (False, True):
            model = built(kind)
            erased = host.with_erasure(*model, solution.updates, 1.0)
            loaded(erased, lowvram)
            reports = [verify(solution, path(*both), path(*erased), {}) for path in (host.HostPath, Answers)]
            cells = [f"{r.residual_max:.2e}" for r in reports] + [f"{r.leak_training[0]:.4f}" for r in reports]
            way = "lowvram" if lowvram else "whole"
            print(f"| {kind} | {way} |", " | ".join(cells), f"| {worst(*reports):.1%} |", flush=True)


if __name__ == "__main__":
    with torch.inference_mode(), quick():
        main()
