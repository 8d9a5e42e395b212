"""Flux.1: a T5 for the context, and the pooled vector of CLIP-L."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, Family, TextInput
from .encoders import clip_encoder, t5_encoder

_CONTEXT = "diffusion_model.txt_in"
_POOLED = "diffusion_model.vector_in.in_layer"


class Flux(Family):
    """Dev, schnell, fill, kontext and what was trained from them. CLIP-L is read at its end token alone."""

    name = "flux"
    title = "Flux.1"
    encoder_names = ("clip_l", "t5xxl")
    reads = ("txt_in", "vector_in.in_layer")
    file_names = (
        (_CONTEXT, "transformer.context_embedder"),
        (_POOLED, "transformer.time_text_embed.text_embedder.linear_1"),
        ("clip_l.transformer.", "lora_te1_"),
        ("t5xxl.transformer.", "lora_te2_"),
    )

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_CONTEXT}.weight" in diffusion_model and f"{_POOLED}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [clip_encoder(text_encoder, "clip_l", padding=False), t5_encoder(text_encoder, "t5xxl")]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [
            TextInput("context", ("t5xxl",), (_CONTEXT,)),
            TextInput("pooled", ("clip_l" + POOLED,), (_POOLED,)),
        ]
