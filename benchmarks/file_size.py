"""How large the file of one erased concept is at SD1.5's real shapes. Weights are random: nothing is downloaded.

`python -m benchmarks.file_size` prints ranks, sizes and times. The text encoder is the host's own CLIP-L; of the UNet
only the text-conditioned linears exist, at their real names and shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from unittest import mock

import torch
from safetensors.torch import save
from torch import Tensor

from tests import pack

pack.comfy_on_cpu()

import comfy.sd  # noqa: E402
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer  # noqa: E402
from comfy.supported_models_base import ClipTarget  # noqa: E402

from erasepro_core import FAMILIES, Options, Report, Request, TextPath, parse_request, progressive, solve_request  # noqa: E402
from erasepro_core.audit import make_checks  # noqa: E402
from erasepro_core.files import pack as packed  # noqa: E402
from erasepro_core.report import Residual  # noqa: E402

BLOCKS = {
    320: ("input_blocks.1.1", "input_blocks.2.1", *(f"output_blocks.{n}.1" for n in (9, 10, 11))),
    640: ("input_blocks.4.1", "input_blocks.5.1", *(f"output_blocks.{n}.1" for n in (6, 7, 8))),
    1280: ("input_blocks.7.1", "input_blocks.8.1", "middle_block.1", *(f"output_blocks.{n}.1" for n in (3, 4, 5))),
}
WIDTH = 768
REQUESTS = {
    "object, three names": parse_request("cat | kitten | feline -> dog", "object", "horse\nbird\nfox"),
    "style, one name": parse_request("Van Gogh -> an artist", "style", "Monet\nPicasso\nRembrandt"),
}


def conditioned() -> dict[str, Tensor]:
    """Every K and V weight of SD1.5's UNet, random."""
    generator = torch.Generator().manual_seed(1)
    return {
        f"diffusion_model.{block}.transformer_blocks.0.attn2.to_{kv}": torch.randn(width, WIDTH, generator=generator)
        * WIDTH**-0.5
        for width, blocks in BLOCKS.items()
        for block in blocks
        for kv in "kv"
    }


def random_clip() -> comfy.sd.CLIP:
    """CLIP-L with the spread of its initialisation."""
    clip = comfy.sd.CLIP(ClipTarget(SD1Tokenizer, SD1ClipModel), model_options={"dtype": torch.float32})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in clip.cond_stage_model.named_parameters():
            if weight.ndim == 2:
                size = 0.02 if "embedding" in name else weight.shape[1] ** -0.5
                weight.copy_(torch.randn(weight.shape, generator=generator) * size)
            else:
                weight.fill_(
                    1.0 if name.endswith("norm.weight") or "norm1.weight" in name or "norm2.weight" in name else 0
                )
    return clip


def path_of(clip: comfy.sd.CLIP, weights: dict[str, Tensor], family):
    """A text path without a diffusion model: the host's own for the text, given weights for the rest."""
    host = pack.module("nodes.host")

    class Path(host.HostPath):
        def __init__(self) -> None:
            self.clip, self.family = clip, family
            self._text_keys = list(clip.cond_stage_model.state_dict())

        def conditioned(self) -> Iterator[tuple[str, Tensor]]:
            yield from weights.items()

    return Path()


def largest(request: Request, path: TextPath) -> Report:
    """The erasure from the first block on, where every block is updated: of all start depths the largest file."""
    with mock.patch.object(progressive, "START_DEPTHS", 1):
        solution = solve_request(request, Options(), path)
    unmeasured = Residual(math.nan, math.nan)  # only bytes are asked here, and a check takes longer than the solve
    return Report(
        solution,
        residuals={record.name: unmeasured for record in solution.layers},
        leak_training=(math.nan,) * len(request.concepts),
        leak_unseen=(solution.trials[0].leak,) * len(request.concepts),
        leak_unlisted=(None,) * len(request.concepts),
        drift={},
        checks=make_checks(request, path),
    ).named({record.name: (1.2345, -0.12345) for record in solution.layers})


def main() -> None:
    """Prints one line for each request and precision."""
    clip, weights = random_clip(), conditioned()
    family = next(each for each in FAMILIES if each.name == "sd1")
    path = path_of(clip, weights, family)
    for name, request in REQUESTS.items():
        report = largest(request, path)
        solution = report.solution
        ranks = [record.rank for record in solution.layers]
        print(
            f"{name}: start {solution.start}, {len(ranks)} layers, ranks {min(ranks)} to {max(ranks)}, "
            f"leak {solution.trials[0].leak:.3f}, {solution.seconds:.0f} s",
            flush=True,
        )
        for precision in ("float32", "float16"):
            tensors, metadata = packed(report, precision)
            header = sum(len(key) + len(text) for key, text in metadata.items())
            size = len(save(tensors, metadata))
            print(f"  {precision}: {size / 1e6:.2f} MB, metadata {header / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
