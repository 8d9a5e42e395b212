"""HunyuanVideo, HunyuanVideo 1.5 and HunyuanImage 2.1: a language model, through a token refiner.

Two linears of the refiner read the text: `input_embedder` each token, and `c_embedder` the mean of the tokens. Of a
mean, a linear makes the mean of what it makes of the tokens, so both are solved on the same tokens.
"""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, TextInput
from .encoders import clip_encoder, llm_encoder
from .one_gate import OneGate

_REFINER = ("txt_in.input_embedder", "txt_in.c_embedder.in_layer")


class HunyuanVideo(OneGate):
    """Llama for the context, with a template that the host cuts off, and the pooled vector of CLIP-L."""

    name = "hunyuan_video"
    title = "HunyuanVideo and SkyReels"
    encoder_names = ("llama", "clip_l")
    reads = (*_REFINER, "vector_in.in_layer")
    leaves = "pictures inside a prompt, as image to video has them"

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, "llama"), clip_encoder(text_encoder, "clip_l", padding=False)]

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        *refiner, vector = (f"diffusion_model.{name}" for name in self.reads)
        return [TextInput("context", ("llama",), tuple(refiner)), TextInput("pooled", ("clip_l" + POOLED,), (vector,))]


class HunyuanImage21(OneGate):
    """A language model that sees; what stands in quotes goes through a ByT5 as well, letter by letter."""

    name = "hunyuan_image_21"
    title = "HunyuanImage 2.1"
    long_prompts = True
    encoder_names = ("qwen25_7b", "byt5_small")
    optional = ("byt5_small",)
    reads = _REFINER
    newer = ("vector_in", "vision_in")
    leaves = "`byt5_in` reads the letters of a text in quotes, to draw them"

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        return [llm_encoder(text_encoder, "qwen25_7b")]


class HunyuanVideo15(HunyuanImage21):
    """The same with a template about videos, and pictures to start from."""

    name = "hunyuan_video_15"
    title = "HunyuanVideo 1.5"
    marks = ("vision_in",)
    newer = ("vector_in",)
