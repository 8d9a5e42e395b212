"""LTX-Video: a T5 whose padding is masked, through one embedder."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class LTXV(OneGate):
    """Keys and values of the blocks see what the embedder makes of the text, so the embedder is enough."""

    name = "ltxv"
    title = "LTX-Video"
    long_prompts = True
    encoder_names = ("t5xxl",)
    reads = ("caption_projection.linear_1",)
    marks = ("patchify_proj",)
    newer = ("audio_patchify_proj",)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl", padding=False)]
