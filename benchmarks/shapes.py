"""MODEL and CLIP at the real shapes of some families, with random weights made in memory: nothing is downloaded.

Uses only what no commit may change, so that `benchmarks.speed` can run it on an older commit too. Runs on CUDA where
torch has it.
"""

from __future__ import annotations

import importlib
import sys

import torch

from tests import pack

CUDA = torch.cuda.is_available()


def _import_comfy() -> None:
    """ComfyUI as a library; it reads its options from sys.argv when they are first imported."""
    pack.prepare()
    importlib.import_module("comfy.options").enable_args_parsing()
    before, sys.argv = sys.argv, ["comfy", *([] if CUDA else ["--cpu"])]
    try:
        importlib.import_module("comfy.cli_args")
    finally:
        sys.argv = before


_import_comfy()

import comfy.model_management  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.supported_models as supported  # noqa: E402
import comfy.text_encoders.pixart_t5 as pixart_t5  # noqa: E402
from comfy import sd1_clip, sdxl_clip  # noqa: E402
from comfy.supported_models_base import ClipTarget  # noqa: E402

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
PIXART = {
    "image_model": "pixart_sigma",
    "in_channels": 4,
    "input_size": 128,
    "pe_interpolation": 2,
    "patch_size": 2,
    "depth": 28,
    "hidden_size": 1152,
    "num_heads": 16,
    "model_max_length": 300,
    "caption_channels": 4096,
    "micro_condition": False,
}
SHAPES = {
    "sd1": (supported.SD15, SD15, ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)),
    "sdxl": (supported.SDXL, XL, ClipTarget(sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel)),
    "pixart": (supported.PixArtSigma, PIXART, ClipTarget(pixart_t5.PixArtTokenizer, pixart_t5.pixart_te())),
}
READS_TEXT = ".attn2.to_k", ".attn2.to_v", "label_emb", "y_embedder"
"""The layers of a diffusion model that a solve reads; all others are zero, since nothing runs them."""


def model_of(name: str) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]:
    """MODEL and CLIP of a family at their real size with random weights, in half precision as checkpoints are."""
    family, config, target = SHAPES[name]
    device, rest = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    described = family(config)
    described.set_inference_dtype(torch.float16, None)
    built = described.get_model({}, "", rest)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float16})
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for key, weight in built.diffusion_model.named_parameters():
            if any(part in key for part in READS_TEXT):
                _fill(key, weight, generator)
            else:
                weight.zero_()
        for key, weight in clip.cond_stage_model.named_parameters():
            _fill(key, weight, generator)
    return comfy.model_patcher.ModelPatcher(built, load_device=device, offload_device=rest), clip


def _fill(key: str, weight: torch.nn.Parameter, generator: torch.Generator) -> None:
    """The spread of a fresh model."""
    if weight.ndim < 2:
        weight.fill_(float(key.endswith("weight")))
        return
    std = 0.02 if "embedding" in key else weight[0].numel() ** -0.5
    weight.copy_(torch.empty(weight.shape, device=generator.device).normal_(std=std, generator=generator))
