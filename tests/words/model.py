"""The model of real words as ComfyUI sees any other: a MODEL, a CLIP and a VAE, of the host's own classes.

The text encoder is pretrained and not ours: `make setup` puts it into build/minilm. `model.safetensors` holds the UNet
alone, in float16.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import comfy.utils
import torch
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel, SDTokenizer
from comfy.text_encoders.bert import BertModel
from torch import Tensor
from transformers import BertTokenizer

from tests.host.random_weights import diffusion
from tests.mini.model import Mini, Pixels, diffusion_model
from tests.pack import encoder_folder

CHECKPOINT = Path(__file__).parent / "model.safetensors"
NAME = "minilm"
WIDTH = 384
CHUNK = 77
START, END, PADDING = 101, 102, 0
UNET_CONFIG = {
    "image_size": 32,
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 32,
    "channel_mult": [1, 1, 3, 3],
    "num_res_blocks": [0, 1, 1, 1],
    "transformer_depth": [0, 1, 1],
    "transformer_depth_output": [0, 0, 0, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "use_temporal_attention": False,
    "context_dim": WIDTH,
    "adm_in_channels": None,
}


class FaintPixels(Pixels):
    """The mini model's, scaled down. At full scale the strongest noise still shows a picture of 32 x 32 pixels, and a
    UNet learns to look there instead of at the text."""

    scale_factor = 0.4


class Words(Mini):
    """The configuration from which the host builds the diffusion model: the mini model's with another size."""

    unet_config = UNET_CONFIG
    latent_format = FaintPixels


class MiniLM(SDClipModel):
    """The pretrained encoder, 6 layers of width 384; what stands behind the end token is zero."""

    def __init__(self, device="cpu", dtype=None, model_options: dict[str, Any] | None = None):
        super().__init__(
            device=device,
            textmodel_json_config=json.loads((encoder_folder(NAME) / "config.json").read_text()),
            dtype=dtype,
            model_class=BertModel,  # pyright: ignore[reportArgumentType]
            special_tokens={"start": START, "end": END, "pad": PADDING},
            enable_attention_masks=True,
            zero_out_masked=True,
            model_options=model_options or {},
        )


class MiniLMTokens(SDTokenizer):
    """Its own word pieces, 77 to a chunk."""

    def __init__(self, embedding_directory=None, tokenizer_data: dict[str, Any] | None = None):
        super().__init__(
            str(encoder_folder(NAME)),
            pad_with_end=False,
            embedding_directory=embedding_directory,
            embedding_size=WIDTH,
            embedding_key=NAME,
            tokenizer_class=BertTokenizer,  # pyright: ignore[reportArgumentType]
            max_length=CHUNK,
            min_length=CHUNK,
            tokenizer_data=tokenizer_data or {},
        )


class WordsTokenizer(SD1Tokenizer):
    """The host's shell around the tokenizer of one encoder."""

    def __init__(self, embedding_directory=None, tokenizer_data: dict[str, Any] | None = None):
        super().__init__(embedding_directory, tokenizer_data or {}, name=NAME, tokenizer=MiniLMTokens)


class WordsClip(SD1ClipModel):
    """The host's shell around one encoder."""

    def __init__(self, device="cpu", dtype=None, model_options: dict[str, Any] | None = None):
        encoder: Any = MiniLM  # the host names a narrower type than it needs
        super().__init__(device, dtype, model_options or {}, name=NAME, clip_model=encoder)


@lru_cache(maxsize=1)
def _encoder_weights() -> dict[str, Tensor]:
    """The published weights under the host's names, without the pooling head, which the host does not have."""
    stored: Any = comfy.utils.load_torch_file(str(encoder_folder(NAME) / "model.safetensors"))
    unused = ("pooler.", "embeddings.position_ids")
    return {f"bert.{key}": value.float() for key, value in stored.items() if not key.startswith(unused)}


def build_clip() -> comfy.sd.CLIP:
    """The text encoder with its pretrained weights, float32."""
    target = comfy.supported_models_base.ClipTarget(WordsTokenizer, WordsClip)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    text_model(clip).load_state_dict(_encoder_weights())
    return clip


def build_model() -> comfy.model_patcher.ModelPatcher:
    """The diffusion model in float32, with random weights."""
    return diffusion(Words, UNET_CONFIG)


def text_model(clip: comfy.sd.CLIP) -> Any:
    """The text transformer inside a CLIP."""
    return getattr(clip.cond_stage_model, NAME).transformer


def load() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """The pretrained text encoder, and the UNet that was trained behind it.

    Raises:
        RuntimeError: the file does not hold exactly this model's weights.
        FileNotFoundError: the text encoder is not there.
    """
    model = build_model()
    diffusion_model(model).load_state_dict(comfy.utils.load_torch_file(str(CHECKPOINT)))
    return model, build_clip(), comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
