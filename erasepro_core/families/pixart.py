"""PixArt alpha and sigma: a T5 without padding, through one embedder."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class PixArt(OneGate):
    """`kv_linear` of the blocks sees what the embedder makes of the text, so the embedder is enough."""

    name = "pixart"
    title = "PixArt alpha and sigma"
    long_prompts = True
    encoder_names = ("t5xxl",)
    reads = ("y_embedder.y_proj.fc1",)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl")]
