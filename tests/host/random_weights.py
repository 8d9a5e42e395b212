"""Models of the host's own classes with seeded random weights."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from comfy.supported_models_base import BASE
from torch import nn


def diffusion(model: type[BASE], config: dict[str, Any]) -> comfy.model_patcher.ModelPatcher:
    """A MODEL in float32 with random weights."""
    described = model(config)
    described.unet_config |= config  # a family's own extra settings name sizes of the real model
    described.set_inference_dtype(torch.float32, None)
    device, rest = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    built = described.get_model({}, "", rest)
    fill(built.diffusion_model)
    return comfy.model_patcher.ModelPatcher(built, load_device=device, offload_device=rest)


def fill(module: nn.Module) -> None:
    """Random weights at the scale of a fresh model: the host's layers leave theirs uninitialised."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            owner, _, leaf = name.rpartition(".")
            parent = module.get_submodule(owner)
            if leaf == "weight" and weight.ndim == 1:
                weight.fill_(0.0 if getattr(parent, "add", False) else 1.0)
            elif leaf == "bias" or weight.ndim < 2:
                weight.normal_(std=0.02, generator=generator)
            elif isinstance(parent, nn.Embedding):
                # Positions say little beside tokens, as in trained encoders: padding is near-copies of one feature.
                weight.normal_(std=0.02 if "position" in name else 1.0, generator=generator)
            else:
                weight.normal_(std=weight[0].numel() ** -0.5, generator=generator)
