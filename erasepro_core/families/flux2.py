"""Flux.2 and Flux.2 Klein: three hidden states of a language model side by side, through one linear without a bias."""

from __future__ import annotations

from collections.abc import Collection

from .base import Encoder
from .encoders import llm_encoder
from .one_gate import OneGate


class Flux2(OneGate):
    """Mistral, after its blocks 10, 20 and 30, the whole template with it."""

    name = "flux2"
    title = "Flux.2"
    long_prompts = True
    encoder_names = ("mistral3_24b",)
    reads = ("txt_in",)
    marks = ("double_stream_modulation_txt",)
    file_names = (("diffusion_model.", "lora_unet_"),)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, self.encoder_names[0])]


class Flux2Klein4B(Flux2):
    """Qwen 3, after its blocks 9, 18 and 27; its padding is read as well."""

    name = "flux2_klein_4b"
    title = "Flux.2 Klein 4B"
    encoder_names = ("qwen3_4b",)


class Flux2Klein9B(Flux2):
    """The same, larger."""

    name = "flux2_klein_9b"
    title = "Flux.2 Klein 9B"
    encoder_names = ("qwen3_8b",)
