"""Wan 2.1 and 2.2: a umT5, whose padding is zeros, through one embedder."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class Wan(OneGate):
    """Keys and values of the blocks see what the embedder makes of the text, so the embedder is enough."""

    name = "wan"
    title = "Wan 2.1 and 2.2"
    long_prompts = True
    encoder_names = ("umt5xxl",)
    reads = ("text_embedding.0",)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "umt5xxl", padding=False)]
