"""Stable Diffusion 2.x: one CLIP-H encoder, read at its last block but one, cross-attention in a UNet."""

from __future__ import annotations

from typing import ClassVar

from .unet import UNetFamily


class SD2(UNetFamily):
    """The family that a model is in when CLIP-H speaks to `attn2` of a UNet.

    `label_emb` of its unCLIP variants reads pictures, not text.
    """

    name: ClassVar[str] = "sd2"
    title: ClassVar[str] = "Stable Diffusion 2.x"
    encoder_names: ClassVar[tuple[str, ...]] = ("clip_h",)
    lora_prefixes: ClassVar[dict[str, str]] = {"clip_h": "lora_te"}
