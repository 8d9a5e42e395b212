"""Stable Diffusion 1.x: one CLIP-L encoder, cross-attention in a UNet."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import clip_encoder
from .unet import UNetFamily, reads_pooled


class SD1(UNetFamily):
    """A UNet whose `attn2` reads the features of CLIP-L alone."""

    name = "sd1"
    title = "Stable Diffusion 1.x"
    encoder_names = ("clip_l",)
    lora_prefixes = ("lora_te",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return super().is_model(diffusion_model) and not reads_pooled(diffusion_model)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [clip_encoder(text_encoder, "clip_l", sampled=True)]
