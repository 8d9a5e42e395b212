"""Wan 2.1 and 2.2: a umT5, whose padding is zeros, through one embedder."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder, Family, TextInput
from .encoders import t5_encoder

_CONTEXT = "diffusion_model.text_embedding.0"


class Wan(Family):
    """Keys and values of the blocks see what the embedder makes of the text, so the embedder is enough."""

    name = "wan"
    title = "Wan 2.1 and 2.2"
    encoder_names = ("umt5xxl",)
    reads = ("text_embedding.0",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_CONTEXT}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "umt5xxl", padding=False)]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", ("umt5xxl",), (_CONTEXT,))]
