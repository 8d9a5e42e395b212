"""Stable Diffusion XL and what was trained from it, and its refiner, which has the larger encoder alone."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, TextInput
from .unet import POOLED_LAYER, UNetFamily, reads_pooled


class SDXL(UNetFamily):
    """CLIP-L and CLIP-G side by side, read at their last blocks but one, and the pooled vector of CLIP-G."""

    name = "sdxl"
    title = "Stable Diffusion XL"
    encoder_names = ("clip_l", "clip_g")
    reads = (*UNetFamily.reads, "label_emb.0.0")
    lora_prefixes = ("lora_te1", "lora_te2")

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return super().is_model(diffusion_model) and reads_pooled(diffusion_model)

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        pooled = TextInput("pooled", ("clip_g" + POOLED,), (POOLED_LAYER,), filled=True)
        return [*super().inputs(text_encoder, diffusion_model), pooled]


class SDXLRefiner(SDXL):
    """The refiner: the same, with CLIP-G alone."""

    name = "sdxl_refiner"
    title = "Stable Diffusion XL Refiner"
    encoder_names = ("clip_g",)
    lora_prefixes = ("lora_te",)
