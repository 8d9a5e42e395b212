"""SmolLM2-135M as the text encoder of a small diffusion model, both of the host's own classes.

The encoder is pretrained and not ours: `make setup` puts it into build/smollm2. The diffusion model is Z-Image's, with
random weights: it reads text as any other does, so it serves for leak and drift, and it draws nothing.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import comfy.utils
import torch
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel, SDTokenizer
from comfy.text_encoders.llama import BaseLlama, Llama2_, Llama2Config
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from tests.host.random_weights import diffusion
from tests.pack import encoder_folder

NAME = "smollm2"
WIDTH = 576
PADDING = 0
"""`<|endoftext|>`, as in Qwen: the published padding also ends the user's words, and the host masks what is behind."""
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""As Z-Image has it."""

DIFFUSION_CONFIG = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 64,
    "cap_feat_dim": WIDTH,
    "n_layers": 1,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 1,
    "qk_norm": True,
    "axes_dims": [8, 12, 12],
    "axes_lens": [64, 64, 64],
    "multiple_of": 16,
    "ffn_dim_multiplier": 1.0,
}


class Sizes(Llama2Config):
    """The published model's; the size of a head is no field of the host's."""

    head_dim = 64


class SmolLM2(BaseLlama, nn.Module):
    """The published language model, 30 blocks of width 576, as the host has Llama and Qwen."""

    def __init__(self, config_dict: dict[str, Any], dtype: Any, device: Any, operations: Any):
        super().__init__()
        config = Sizes(**config_dict)
        self.num_layers = config.num_hidden_layers
        self.model = Llama2_(config, device=device, dtype=dtype, ops=operations)
        self.dtype = dtype


class SmolLM2Encoder(SDClipModel):
    """Read at its last block but one, as Lumina 2 and Z-Image read theirs."""

    def __init__(self, device="cpu", dtype=None, model_options: dict[str, Any] | None = None):
        model_class: Any = SmolLM2  # the host names a narrower type than it needs
        super().__init__(
            device=device,
            layer="hidden",
            layer_idx=-2,
            textmodel_json_config=json.loads((encoder_folder(NAME) / "config.json").read_text()),
            dtype=dtype,
            special_tokens={"pad": PADDING},
            layer_norm_hidden_state=False,
            model_class=model_class,
            enable_attention_masks=True,
            return_attention_masks=True,
            model_options=model_options or {},
        )


class SmolLM2Tokens(SDTokenizer):
    """Its own byte-level tokens; a prompt may be as long as it likes."""

    def __init__(self, embedding_directory=None, tokenizer_data: dict[str, Any] | None = None):
        tokenizer_class: Any = PreTrainedTokenizerFast
        super().__init__(
            str(encoder_folder(NAME)),
            pad_with_end=False,
            embedding_directory=embedding_directory,
            embedding_size=WIDTH,
            embedding_key=NAME,
            tokenizer_class=tokenizer_class,
            has_start_token=False,
            has_end_token=False,
            pad_to_max_length=False,
            max_length=99999999,
            min_length=1,
            pad_token=PADDING,
            tokenizer_data=tokenizer_data or {},
        )


class CausalTokenizer(SD1Tokenizer):
    """The host's shell around the tokenizer, with the words of a chat around the prompt."""

    def __init__(self, embedding_directory=None, tokenizer_data: dict[str, Any] | None = None):
        super().__init__(embedding_directory, tokenizer_data or {}, name=NAME, tokenizer=SmolLM2Tokens)

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **options: Any) -> Any:
        return super().tokenize_with_weights(TEMPLATE.format(text), return_word_ids, disable_weights=True, **options)


class CausalClip(SD1ClipModel):
    """The host's shell around one encoder."""

    def __init__(self, device="cpu", dtype=None, model_options: dict[str, Any] | None = None):
        encoder: Any = SmolLM2Encoder
        super().__init__(device, dtype, model_options or {}, name=NAME, clip_model=encoder)


@lru_cache(maxsize=1)
def encoder_weights() -> dict[str, Tensor]:
    """The published weights by the host's names, float32."""
    stored: Any = comfy.utils.load_torch_file(str(encoder_folder(NAME) / "model.safetensors"))
    return {key: value.float() for key, value in stored.items()}


def build_clip(blocks: int | None = None) -> comfy.sd.CLIP:
    """The text encoder with its pretrained weights, float32, or with the first few of its blocks alone."""
    target = comfy.supported_models_base.ClipTarget(CausalTokenizer, CausalClip)
    fewer = {} if blocks is None else {f"{NAME}_model_config": {"num_hidden_layers": blocks}}
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32, **fewer})
    transformer = getattr(clip.cond_stage_model, NAME).transformer
    transformer.load_state_dict({key: encoder_weights()[key] for key in transformer.state_dict()})
    return clip


def load(blocks: int | None = None) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]:
    """A random diffusion model and the pretrained text encoder.

    Args:
        blocks: how many blocks of the encoder, for a test that cannot wait; None for all.

    Raises:
        FileNotFoundError: the text encoder is not there.
    """
    return diffusion(comfy.supported_models.ZImage, DIFFUSION_CONFIG), build_clip(blocks)
