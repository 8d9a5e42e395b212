"""Lumina 2 and Z-Image: one diffusion model, two language models, through a norm and one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import llm_encoder
from .one_gate import OneGate


class Lumina2(OneGate):
    """Gemma 2, read at its last block but one; nothing stands behind the words."""

    name = "lumina2"
    title = "Lumina 2"
    long_prompts = True
    encoder_names = ("gemma2_2b",)
    reads = ("cap_embedder.1",)
    norm = "cap_embedder.0"

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, self.encoder_names[0])]


class ZImage(Lumina2):
    """Qwen 3 with a template around the prompt."""

    name = "z_image"
    title = "Z-Image"
    long_prompts = True
    encoder_names = ("qwen3_4b",)
