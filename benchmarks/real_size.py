"""One concept erased at the real shapes of SD1.5 and SDXL: time and peak memory, with random weights made in memory.

`python -m benchmarks.real_size sd1` or `sdxl`; each in a process of its own, since the peak is the process's.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import torch

from tests import pack

pack.comfy_on_cpu()

import comfy.model_patcher  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.supported_models as supported  # noqa: E402
from comfy import sd1_clip, sdxl_clip  # noqa: E402
from comfy.supported_models_base import ClipTarget  # noqa: E402

from erasepro_core import Options, parse_request  # noqa: E402

REQUEST = parse_request("Van Gogh -> an artist", "style", "Monet\nPicasso\nRembrandt")
COMMON = {"image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "use_spatial_transformer": True}
COMMON |= {"use_temporal_attention": False}
SD15 = COMMON | {
    "channel_mult": [1, 2, 4, 4],
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
    "context_dim": 768,
    "num_heads": 8,
    "num_head_channels": -1,
    "use_linear_in_transformer": False,
    "adm_in_channels": None,
}
XL = COMMON | {
    "channel_mult": [1, 2, 4],
    "num_res_blocks": [2, 2, 2],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "context_dim": 2048,
    "num_heads": -1,
    "num_head_channels": 64,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
}
SHAPES = {
    "sd1": (supported.SD15, SD15, ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)),
    "sdxl": (supported.SDXL, XL, ClipTarget(sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel)),
}


def model_of(name: str) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]:
    """MODEL and CLIP of a family at their real size with random weights, in half precision as checkpoints are."""
    family, config, target = SHAPES[name]
    described = family(config)
    described.set_inference_dtype(torch.float16, None)
    built = described.get_model({}, "", torch.device("cpu"))
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float16})
    generator = torch.Generator().manual_seed(0)
    for module in (built.diffusion_model, clip.cond_stage_model):
        for key, weight in module.named_parameters():
            _fill(key, weight, generator)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(built, load_device=cpu, offload_device=cpu), clip


def _fill(key: str, weight: torch.nn.Parameter, generator: torch.Generator) -> None:
    """The spread of a fresh model; what no solve reads stays as small as it is quick."""
    with torch.no_grad():
        if weight.ndim < 2:
            weight.fill_(float(key.endswith("weight")))
        elif "diffusion_model" not in key and "embedding" in key:
            weight.normal_(std=0.02, generator=generator)
        else:
            weight.normal_(std=weight[0].numel() ** -0.5, generator=generator)


def measured(name: str) -> dict[str, Any]:
    """Solves and checks one concept, as the Solve node does."""
    model, clip = model_of(name)
    built = peak()
    began = time.perf_counter()
    report = pack.module("nodes.solve").solve_and_check(model, clip, REQUEST, Options())
    return {
        "whole": time.perf_counter() - began,
        "solve": report.solution.seconds,
        "memory built": built,
        "memory": peak(),
        "layers": len(report.residuals),
        "residual": report.residual_max,
        "leak training": report.leak_training[0],
        "leak unseen": report.leak_unseen[0],
        "megabytes": report.solution.updates.nbytes() / 1e6,
    }


def peak() -> float:
    """Most memory this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    with torch.inference_mode():
        for key, value in measured(sys.argv[1]).items():
            print(f"{key}: {value:.4g}", flush=True)
