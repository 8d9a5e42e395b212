"""Cosmos 1 and Predict2: a T5, whose padding is zeros, read by the cross-attention of every block."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from .base import Encoder, Family, TextInput, has, numbered
from .encoders import t5_encoder


class Cosmos(Family):
    """Of a block's three parts, 0 to 2, the second is its cross-attention."""

    name = "cosmos"
    title = "Cosmos 1"
    long_prompts = True
    encoder_names = ("t5xxl",)
    reads = ("blocks.1.block.attn.to_k.0", "blocks.1.block.attn.to_v.0")
    cross: ClassVar[str] = r"blocks\.block(\d+)\.blocks\.1\.block\.attn\.to_[kv]\.0"

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        # Anima is Predict2 with an adapter between text encoder and blocks.
        return bool(numbered(diffusion_model, self.cross)) and not has(diffusion_model, "llm_adapter")

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "t5xxl", padding=False)]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", self.encoder_names, numbered(diffusion_model, self.cross))]


class CosmosPredict2(Cosmos):
    """The same with other names."""

    name = "cosmos_predict2"
    title = "Cosmos Predict2"
    reads = ("cross_attn.k_proj", "cross_attn.v_proj")
    cross = r"blocks\.(\d+)\.cross_attn\.[kv]_proj"
