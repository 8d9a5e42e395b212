"""Qwen-Image: a language model with a template around the prompt, through a norm and one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import llm_encoder
from .one_gate import OneGate


class QwenImage(OneGate):
    """The host drops the template's tokens in front of the words, and keeps those behind them."""

    name = "qwen_image"
    title = "Qwen-Image"
    long_prompts = True
    encoder_names = ("qwen25_7b",)
    reads = ("txt_in",)
    norm = "txt_norm"

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, "qwen25_7b")]
