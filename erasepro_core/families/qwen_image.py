"""Qwen-Image: a language model with a template around the prompt, through a norm and one linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder, Family, TextInput
from .encoders import llm_encoder

_CONTEXT, _NORM = "diffusion_model.txt_in", "diffusion_model.txt_norm"


class QwenImage(Family):
    """The host drops the template's tokens in front of the words, and keeps those behind them."""

    name = "qwen_image"
    title = "Qwen-Image"
    encoder_names = ("qwen25_7b",)
    reads = ("txt_in",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return f"{_CONTEXT}.weight" in diffusion_model and f"{_NORM}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, "qwen25_7b")]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        return [TextInput("context", ("qwen25_7b",), (_CONTEXT,), norm=_NORM)]
