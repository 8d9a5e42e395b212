"""The mini model as a diffusers pipeline: the same weights in diffusers' and transformers' own classes."""

from __future__ import annotations

import importlib
from typing import Any

import comfy.utils
import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tests import pack

from . import model as mini

diffusers: Any = importlib.import_module("diffusers")  # the type checker's path does not have it
LEVELS = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")


def pipeline(model: Any, clip: Any) -> Any:
    """A pipeline of the mini model. Its VAE has random weights: `latents` are the pictures."""
    places = {"scheduler": _scheduler(), "vae": diffusers.AutoencoderKL(latent_channels=3, block_out_channels=(32,))}
    places |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    tokenizer = CLIPTokenizer.from_pretrained(str(pack.COMFYUI / "comfy" / "sd1_tokenizer"), model_max_length=77)
    return diffusers.StableDiffusionPipeline(unet=_unet(model), text_encoder=_text(clip), tokenizer=tokenizer, **places)


def latents(pipe: Any, prompts: list[str]) -> Tensor:
    """What a pipeline draws, `[N, 16, 16, 3]` in 0..1; picture i from the seed i."""
    seeds = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    how = {"num_inference_steps": 10, "guidance_scale": 3.0, "output_type": "latent"}
    return (pipe(prompts, generator=seeds, **how).images.permute(0, 2, 3, 1) / 2 + 0.5).clamp(0, 1)


def _scheduler() -> Any:
    """The host's noise schedule."""
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return diffusers.EulerDiscreteScheduler(prediction_type="v_prediction", steps_offset=1, **betas)


def _unet(model: Any) -> Any:
    own, channels = mini.diffusion_model(model).state_dict(), mini.UNET_CONFIG["model_channels"]
    unet = diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=tuple(channels * factor for factor in mini.UNET_CONFIG["channel_mult"]),
        down_block_types=LEVELS,
        up_block_types=tuple(name.replace("Down", "Up") for name in reversed(LEVELS)),
        cross_attention_dim=mini.WIDTH,
        attention_head_dim=mini.Mini.unet_extra_config["num_heads"],
    )
    names = comfy.utils.unet_to_diffusers(mini.UNET_CONFIG)
    unet.load_state_dict({theirs: own[ours] for theirs, ours in names.items() if ours in own})
    return unet


def _text(clip: Any) -> CLIPTextModel:
    sizes: dict[str, Any] = {**mini.CLIP_CONFIG, "vocab_size": 49408, "hidden_act": "quick_gelu"}
    text, own = (
        CLIPTextModel(CLIPTextConfig(eos_token_id=49407, **sizes)),
        mini.text_model(clip).text_model.state_dict(),
    )
    prefix = "text_model." if hasattr(text, "text_model") else ""
    text.load_state_dict({f"{prefix}{name}": weight for name, weight in own.items()})
    return text
