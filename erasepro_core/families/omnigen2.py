"""OmniGen2: a language model with a template around the prompt, through a norm and one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import llm_encoder
from .one_gate import OneGate


class OmniGen2(OneGate):
    """The whole template is read. Pictures to edit come in beside it."""

    name = "omnigen2"
    title = "OmniGen2"
    long_prompts = True
    encoder_names = ("qwen25_3b",)
    reads = ("time_caption_embed.caption_embedder.1",)
    norm = "time_caption_embed.caption_embedder.0"
    marks = ("layers",)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, "qwen25_3b")]
