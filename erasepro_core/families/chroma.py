"""Chroma and Chroma Radiance: a T5 without padding, through one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class Chroma(OneGate):
    """Flux with one encoder, no pooled vector, and all modulation made by one network."""

    name = "chroma"
    title = "Chroma and Chroma Radiance"
    long_prompts = True
    encoder_names = ("t5xxl",)
    reads = ("txt_in",)
    marks = ("distilled_guidance_layer",)
    file_names = (("t5xxl.transformer.", "lora_te1_"),)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl")]
