"""HunyuanDiT: a BERT and an mT5, read in three places, one of which can be edited alone."""

from __future__ import annotations

import re
from collections.abc import Collection

from .base import Encoder, Family, TextInput
from .encoders import bert_encoder, t5_encoder

_T5 = "diffusion_model.mlp_t5.0"
_CROSS = re.compile(r"diffusion_model\.blocks\.(\d+)\.attn2\.kv_proj\.weight")
_POOLER = ("diffusion_model.pooler.k_proj", "diffusion_model.pooler.v_proj")


class HunyuanDiT(Family):
    """`kv_proj` reads both encoders' tokens and the pooler adds positions to them, so these two are measured only."""

    name = "hunyuan_dit"
    title = "HunyuanDiT"
    encoder_names = ("hydit_clip", "mt5xl")
    reads = ("mlp_t5.0",)
    leaves = "`kv_proj` and the pooler read both encoders or positions too, and are measured"

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_T5}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [bert_encoder(text_encoder, "hydit_clip", padding=False), t5_encoder(text_encoder, "mt5xl")]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        found = sorted((int(match[1]), match[0]) for key in diffusion_model if (match := _CROSS.fullmatch(key)))
        cross = tuple(name.removesuffix(".weight") for _, name in found)
        return [
            TextInput("context", ("hydit_clip",), cross, edited=False),
            TextInput("context_t5", ("mt5xl",), (_T5,)),
            TextInput("pooler", ("mt5xl",), _POOLER, edited=False),
        ]
