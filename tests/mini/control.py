"""A ControlNet for the mini model: a copy of its UNet, as ControlNets start, with random convolutions in between."""

from __future__ import annotations

from typing import Any

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_management
import comfy.ops
import torch

from .model import UNET_CONFIG, Mini, diffusion_model, load

STRENGTH = 0.2
"""Of the random convolutions; a trained ControlNet has learned them, a new one has zeros."""


def control(seed: int = 0) -> comfy.controlnet.ControlNet:
    """One that has read the text with the mini model's own cross-attention, and answers something to any picture."""
    left_out = "out_channels", "transformer_depth_output"
    config: dict[str, Any] = {key: value for key, value in UNET_CONFIG.items() if key not in left_out}
    config |= Mini.unet_extra_config | {"hint_channels": 3}
    network = comfy.cldm.cldm.ControlNet(**config, operations=comfy.ops.manual_cast)
    trained = diffusion_model(load()[0]).state_dict()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name in trained:
                weight.copy_(trained[name])
            else:
                weight.copy_(STRENGTH * torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5)
    return comfy.controlnet.ControlNet(network, load_device=comfy.model_management.get_torch_device())
