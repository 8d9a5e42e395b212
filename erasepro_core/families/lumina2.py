"""Lumina 2 and Z-Image: one diffusion model, two language models, through a norm and one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder, Family, TextInput
from .encoders import llm_encoder

_CONTEXT, _NORM = "diffusion_model.cap_embedder.1", "diffusion_model.cap_embedder.0"


class Lumina2(Family):
    """Gemma 2, read at its last block but one; nothing stands behind the words."""

    name = "lumina2"
    title = "Lumina 2"
    encoder_names = ("gemma2_2b",)
    reads = ("cap_embedder.1",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_CONTEXT}.weight" in diffusion_model and f"{_NORM}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, self.encoder_names[0])]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", self.encoder_names, (_CONTEXT,), norm=_NORM)]


class ZImage(Lumina2):
    """Qwen 3 with a template around the prompt."""

    name = "z_image"
    title = "Z-Image"
    encoder_names = ("qwen3_4b",)
