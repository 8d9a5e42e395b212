"""Stable Cascade: stage C draws from the tokens and the pooled vector of CLIP-G, stage B from the pooled vector."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, Family, TextInput
from .encoders import clip_encoder

_TOKENS = "diffusion_model.clip_txt_mapper"
_POOLED = "diffusion_model.clip_txt_pooled_mapper"
_DECODER = "diffusion_model.clip_mapper"


class StableCascade(Family):
    """Stage C. Padding is masked in the encoder and read all the same."""

    name = "stable_cascade"
    title = "Stable Cascade, stage C"
    encoder_names = ("clip_g",)
    reads = ("clip_txt_mapper", "clip_txt_pooled_mapper")
    leaves = "`clip_img_mapper` reads pictures"

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_TOKENS}.weight" in diffusion_model and f"{_POOLED}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [clip_encoder(text_encoder, "clip_g")]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [
            TextInput("context", ("clip_g",), (_TOKENS,)),
            TextInput("pooled", ("clip_g" + POOLED,), (_POOLED,)),
        ]


class StableCascadeB(Family):
    """Stage B, which makes the latent picture larger."""

    name = "stable_cascade_b"
    title = "Stable Cascade, stage B"
    encoder_names = ("clip_g",)
    reads = ("clip_mapper",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_DECODER}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [clip_encoder(text_encoder, "clip_g", padding=False)]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("pooled", ("clip_g" + POOLED,), (_DECODER,))]
