"""Tiny models of every family: the host's own classes with few and narrow layers and seeded random weights."""

from __future__ import annotations

from collections.abc import Callable

import comfy.ldm.flux.model
import comfy.model_patcher
import comfy.supported_models as supported
import comfy.text_encoders.flux
import comfy.text_encoders.hydit
import comfy.text_encoders.lumina2
import comfy.text_encoders.pixart_t5
import comfy.text_encoders.qwen_image
import comfy.text_encoders.sd2_clip
import comfy.text_encoders.sd3_clip
import comfy.text_encoders.wan
import comfy.text_encoders.z_image
import torch
from comfy import sd1_clip, sdxl_clip
from comfy.supported_models_base import BASE, ClipTarget
from torch import nn

from . import images, videos
from .build import (
    LLM,
    LLM_CONFIG,
    SHORT,
    SIZES,
    T5,
    VOCABULARY,
    Built,
    G,
    L,
    clip_config,
    diffusion,
    if_asked,
    pieces,
    t5_config,
    text,
    unet,
    without_eyes,
)


def sd1() -> Built:
    target = ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)
    return unet(supported.SD15, L), text(target, clip_l=clip_config(L, 2))


def sd2() -> Built:
    target = ClipTarget(comfy.text_encoders.sd2_clip.SD2Tokenizer, comfy.text_encoders.sd2_clip.SD2ClipModel)
    return unet(supported.SD20, G), text(target, clip_h=clip_config(G, 3))


def sdxl() -> Built:
    target = ClipTarget(sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel)
    model = unet(supported.SDXL, L + G, num_classes="sequential", adm_in_channels=G + SIZES)
    return model, text(target, clip_l=clip_config(L, 3), clip_g=clip_config(G, 3))


def sdxl_refiner() -> Built:
    target = ClipTarget(sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLRefinerClipModel)
    model = unet(supported.SDXLRefiner, G, num_classes="sequential", adm_in_channels=G + 5 * 256)
    return model, text(target, clip_g=clip_config(G, 3))


def sd3(clip_l: bool = True, clip_g: bool = True, t5: bool = True) -> Built:
    module = comfy.text_encoders.sd3_clip
    target = ClipTarget(module.SD3Tokenizer, module.sd3_clip(clip_l=clip_l, clip_g=clip_g, t5=t5))
    pooled = (L if clip_l else 768) + (G if clip_g else 1280)
    config = {
        "in_channels": 16,
        "patch_size": 2,
        "depth": 2,
        "input_size": None,
        "num_patches": 64,
        "pos_embed_max_size": 8,
        "pos_embed_scaling_factor": None,
        "adm_in_channels": pooled,
        "context_embedder_config": {
            "target": "torch.nn.Linear",
            "params": {"in_features": 4096, "out_features": 128},
        },
    }
    encoders = {
        "clip_l": clip_config(L, 3),
        "clip_g": clip_config(G, 3),
        "t5xxl": t5_config(4096) | {"num_layers": 2},
    }
    model = diffusion(supported.SD3, config)
    model.model.diffusion_model.pos_embed.zero_()  # a buffer, which the host leaves uninitialised as it does weights
    return model, text(target, SHORT, **encoders)


def flux() -> Built:
    module = comfy.text_encoders.flux
    config = {
        "image_model": "flux",
        "in_channels": 16,
        "out_channels": 16,
        "vec_in_dim": L,
        "context_in_dim": T5,
        "hidden_size": 64,
        "mlp_ratio": 2.0,
        "num_heads": 2,
        "depth": 1,
        "depth_single_blocks": 2,
        "axes_dim": [8, 12, 12],
        "theta": 10000,
        "patch_size": 2,
        "qkv_bias": True,
        "guidance_embed": False,
        **if_asked(comfy.ldm.flux.model.FluxParams, txt_ids_dims=[]),
    }
    target = ClipTarget(module.FluxTokenizer, module.flux_clip())
    return diffusion(supported.FluxSchnell, config), text(target, SHORT, clip_l=clip_config(L, 2), t5xxl=t5_config())


def pixart() -> Built:
    module = comfy.text_encoders.pixart_t5
    config = {
        "image_model": "pixart_sigma",
        "in_channels": 4,
        "hidden_size": 48,
        "depth": 1,
        "num_heads": 4,
        "caption_channels": T5,
        "input_size": 16,
        "micro_condition": False,
        "pe_interpolation": 1.0,
        "patch_size": 2,
    }
    target = ClipTarget(module.PixArtTokenizer, module.pixart_te())
    return diffusion(supported.PixArtSigma, config), text(target, t5xxl=t5_config())


def hunyuan_dit() -> Built:
    module = comfy.text_encoders.hydit
    config = {
        "image_model": "hydit",
        "in_channels": 4,
        "hidden_size": 64,
        "depth": 4,
        "num_heads": 4,
        "text_states_dim": L,
        "text_states_dim_t5": T5,
        "text_len_t5": 64,
        "mlp_ratio": 2.0,
        "size_cond": True,
        "use_style_cond": True,
    }
    target = ClipTarget(module.HyditTokenizer, module.HyditModel)
    data = {"mt5xl.spiece_model": pieces(bos=-1, eos=1, unk=2), "mt5xl_min_length": 64}
    bert = clip_config(L, 2)
    return diffusion(supported.HunyuanDiT, config), text(
        target, data, hydit_clip=bert, mt5xl=t5_config() | {"vocab_size": VOCABULARY}
    )


def lumina(model: type[BASE], width: int) -> comfy.model_patcher.ModelPatcher:
    config = {
        "image_model": "lumina2",
        "patch_size": 2,
        "in_channels": 16,
        "dim": 64,
        "cap_feat_dim": width,
        "n_layers": 3,
        "n_refiner_layers": 1,
        "n_heads": 2,
        "n_kv_heads": 1,
        "qk_norm": True,
        "axes_dims": [8, 12, 12],
        "axes_lens": [64, 64, 64],
        "multiple_of": 16,
        "ffn_dim_multiplier": 1.0,
    }
    return diffusion(model, config)


def lumina2() -> Built:
    module = comfy.text_encoders.lumina2
    target = ClipTarget(module.LuminaTokenizer, module.te())
    config = LLM_CONFIG | {"vocab_size": VOCABULARY}
    data = {"spiece_model": pieces(bos=2, eos=1, unk=3)}
    return lumina(supported.Lumina2, LLM), text(target, data, gemma2_2b=config)


def z_image() -> Built:
    module = comfy.text_encoders.z_image
    return lumina(supported.ZImage, LLM), text(ClipTarget(module.ZImageTokenizer, module.te()), qwen3_4b=LLM_CONFIG)


def qwen_image() -> Built:
    module = comfy.text_encoders.qwen_image
    config = {
        "image_model": "qwen_image",
        "in_channels": 64,
        "num_layers": 3,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": LLM,
        "axes_dims_rope": (8, 12, 12),
    }
    target = ClipTarget(module.QwenImageTokenizer, module.te())
    # The encoder's eyes, which no setting makes smaller, are not built: prompts are words here.
    with without_eyes():
        clip = text(target, qwen25_7b=LLM_CONFIG)
    return diffusion(supported.QwenImage, config), clip


def wan() -> Built:
    module = comfy.text_encoders.wan
    config = {
        "image_model": "wan2.1",
        "model_type": "t2v",
        "dim": 64,
        "ffn_dim": 64,
        "freq_dim": 32,
        "text_dim": T5,
        "num_heads": 2,
        "num_layers": 1,
        "in_dim": 16,
        "out_dim": 16,
    }
    target = ClipTarget(module.WanT5Tokenizer, module.te())
    data = {"spiece_model": pieces(bos=-1, eos=1, unk=2)}
    return diffusion(supported.WAN21_T2V, config), text(target, data, umt5xxl=t5_config() | {"vocab_size": VOCABULARY})


MODELS: dict[str, Callable[..., Built]] = {
    build.__name__: build
    for build in (
        sd1, sd2, sdxl, sdxl_refiner, images.stable_cascade, images.stable_cascade_b, sd3,
        flux, images.flux2, images.flux2_klein_4b, images.flux2_klein_9b, images.chroma,
        pixart, images.aura_flow, hunyuan_dit, images.hunyuan_image_21, images.hidream, lumina2, z_image,
        qwen_image, images.omnigen2, wan, videos.hunyuan_video, videos.hunyuan_video_15, videos.ltxv, videos.mochi,
        videos.cosmos, videos.cosmos_predict2,
    )
}  # fmt: skip


def rounded(name: str, dtype: torch.dtype) -> Built:
    """A family's tiny model with its linears in a precision, and the rest in it too where hosts keep it so."""
    model, clip = MODELS[name]()
    for module in (model.model, clip.cond_stage_model):
        for part in [module] if dtype.itemsize > 1 else [m for m in module.modules() if isinstance(m, nn.Linear)]:
            part.to(dtype)
    return model, clip
