"""Stable Diffusion 1.x: one CLIP-L encoder, cross-attention in a UNet."""

from __future__ import annotations

import re
from collections.abc import Collection

from .base import EncoderBlock

_ENCODER = "clip_l.transformer.text_model.encoder.layers"
_WRITER = re.compile(rf"{re.escape(_ENCODER)}\.(\d+)\.mlp\.fc2\.weight")
_CROSS = re.compile(
    r"diffusion_model\.(input_blocks|middle_block|output_blocks)\.(\d+)\.(?:\d+\.)?transformer_blocks\.(\d+)\.attn2\.to_([kv])\.weight"
)
_ORDER = ("input_blocks", "middle_block", "output_blocks")


class SD1:
    """The family that a model is in when CLIP-L alone speaks to `attn2` of a UNet."""

    name = "sd1"

    def recognises(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> bool:
        alone = not any(key.startswith(("clip_g.", "clip_h.", "t5xxl.")) for key in text_encoder)
        pooled = any(key.startswith("diffusion_model.label_emb.") for key in diffusion_model)
        return alone and not pooled and bool(self.encoder_blocks(text_encoder) and self.conditioned(diffusion_model))

    def encoder_blocks(self, text_encoder: Collection[str]) -> list[EncoderBlock]:
        numbers = sorted(int(found[1]) for key in text_encoder if (found := _WRITER.fullmatch(key)))
        return [
            EncoderBlock(
                readers=tuple(f"{_ENCODER}.{n}.self_attn.{part}_proj" for part in "qkv"),
                writer=f"{_ENCODER}.{n}.mlp.fc2",
                stream=f"{_ENCODER}.{n}.layer_norm2",
            )
            for n in numbers
        ]

    def conditioned(self, diffusion_model: Collection[str]) -> list[str]:
        found = [match for key in diffusion_model if (match := _CROSS.fullmatch(key))]
        found.sort(key=lambda m: (_ORDER.index(m[1]), int(m[2]), int(m[3]), m[4]))
        return [match[0].removesuffix(".weight") for match in found]

    def lora_name(self, side: str, name: str) -> str:
        # The UNet's own names, not those of diffusers: stock loaders take both, and these do not depend on its depth.
        prefix, start = {
            "text_encoder": ("lora_te_", "clip_l.transformer."),
            "diffusion_model": ("lora_unet_", "diffusion_model."),
        }[side]
        return prefix + name.removeprefix(start).replace(".", "_")
