"""Stable Diffusion 2.x: one CLIP-H encoder, read at its last block but one, cross-attention in a UNet."""

from __future__ import annotations

from .unet import UNetFamily


class SD2(UNetFamily):
    """A UNet whose `attn2` reads the features of CLIP-H.

    `label_emb` of its unCLIP variants reads pictures, not text.
    """

    name = "sd2"
    title = "Stable Diffusion 2.x"
    encoder_names = ("clip_h",)
    lora_prefixes = ("lora_te",)
