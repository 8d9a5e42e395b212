"""PixArt alpha and sigma: a T5 without padding, through one embedder."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder, Family, TextInput
from .encoders import t5_encoder

_CONTEXT = "diffusion_model.y_embedder.y_proj.fc1"


class PixArt(Family):
    """`kv_linear` of the blocks sees what the embedder makes of the text, so the embedder is enough."""

    name = "pixart"
    title = "PixArt alpha and sigma"
    encoder_names = ("t5xxl",)
    reads = ("y_embedder.y_proj.fc1",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_CONTEXT}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl")]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", ("t5xxl",), (_CONTEXT,))]
