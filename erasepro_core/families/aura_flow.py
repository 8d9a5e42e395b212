"""AuraFlow: a Pile T5, whose padding is zeros, through one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import t5_encoder
from .one_gate import OneGate


class AuraFlow(OneGate):
    """The linear has no bias, so zeros stay zeros."""

    name = "aura_flow"
    title = "AuraFlow"
    long_prompts = True
    encoder_names = ("pile_t5xl",)
    reads = ("cond_seq_linear",)
    file_names = (("diffusion_model.cond_seq_linear", "transformer.context_embedder"),)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [t5_encoder(text_encoder, "pile_t5xl", padding=False)]
