"""Mochi: a T5 whose padding is masked, read token by token, and by a pool that starts from the mean of the tokens."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class Mochi(OneGate):
    """A linear makes of a mean the mean of what it makes of the tokens, so `to_q` is solved on tokens as well."""

    name = "mochi"
    title = "Mochi 1"
    long_prompts = True
    encoder_names = ("t5xxl",)
    reads = ("t5_yproj", "t5_y_embedder.to_kv", "t5_y_embedder.to_q")

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl", padding=False)]
