"""What the families with a UNet share: cross-attention, and the LoRA names that other programs know too."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import ClassVar

from .base import Encoder, Family, TextInput
from .encoders import clip_encoder

POOLED_LAYER = "diffusion_model.label_emb.0.0"
"""Reads the pooled vector and, behind it, sizes."""

_CROSS = re.compile(
    r"diffusion_model\.(input_blocks|middle_block|output_blocks)\.(\d+)\.(?:\d+\.)?transformer_blocks\.(\d+)\.attn2\.to_([kv])\.weight"
)
_ORDER = ("input_blocks", "middle_block", "output_blocks")


class UNetFamily(Family):
    """CLIPs whose features `attn2` of a UNet reads, side by side where there are several."""

    reads = ("attn2.to_k", "attn2.to_v")
    lora_prefixes: ClassVar[tuple[str, ...]]
    """What LoRA files call each of `encoder_names`."""

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return bool(cross_attention(diffusion_model))

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [clip_encoder(text_encoder, name) for name in self.encoder_names]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", self.encoder_names, cross_attention(diffusion_model))]

    def general_name(self, side: str, name: str) -> str:
        encoder, _, layer = name.partition(".transformer.")
        prefixes = dict(zip(self.encoder_names, self.lora_prefixes, strict=True))
        # The UNet's own names, not those of diffusers: stock loaders take both, and these do not depend on its depth.
        whole = {
            "text_encoder": f"{prefixes.get(encoder, encoder)}_{layer}",
            "diffusion_model": f"lora_unet_{name.removeprefix('diffusion_model.')}",
        }[side]
        return whole.replace(".", "_")


def cross_attention(diffusion_model: Collection[str]) -> tuple[str, ...]:
    """Keys and values of every cross-attention, in execution order."""
    found = [match for key in diffusion_model if (match := _CROSS.fullmatch(key))]
    found.sort(key=lambda m: (_ORDER.index(m[1]), int(m[2]), int(m[3]), m[4]))
    return tuple(match[0].removesuffix(".weight") for match in found)


def reads_pooled(diffusion_model: Collection[str]) -> bool:
    """Whether a pooled vector goes in beside the time step."""
    return f"{POOLED_LAYER}.weight" in diffusion_model
