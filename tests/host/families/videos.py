"""Tiny models that make videos."""

from __future__ import annotations

import comfy.supported_models as supported
import comfy.text_encoders.cosmos
import comfy.text_encoders.genmo
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.hunyuan_video
import comfy.text_encoders.lt
from comfy.supported_models_base import ClipTarget

from .build import SHORT, T5, Built, L, clip_config, diffusion, t5_config, text, without_eyes
from .images import WIDE, hunyuan_refiner


def hunyuan_video() -> Built:
    module = comfy.text_encoders.hunyuan_video
    target = ClipTarget(module.HunyuanVideoTokenizer, module.hunyuan_video_clip())
    clip = text(target, llama=WIDE, clip_l=clip_config(L, 2))
    return diffusion(supported.HunyuanVideo, hunyuan_refiner(vec_in_dim=L, context_in_dim=WIDE["hidden_size"])), clip


def hunyuan_video_15() -> Built:
    module = comfy.text_encoders.hunyuan_image
    config = hunyuan_refiner(
        context_in_dim=WIDE["hidden_size"],
        in_channels=65,
        out_channels=32,
        patch_size=[1, 1, 1],
        byt5=True,
        use_cond_type_embedding=True,
        vision_in_dim=64,
    )
    tokenizer = comfy.text_encoders.hunyuan_video.HunyuanVideo15Tokenizer
    with without_eyes():
        clip = text(ClipTarget(tokenizer, module.te(byt5=False)), qwen25_7b=WIDE)
    return diffusion(supported.HunyuanVideo15, config), clip


def ltxv() -> Built:
    module = comfy.text_encoders.lt
    config = {
        "image_model": "ltxv",
        "in_channels": 128,
        "cross_attention_dim": 64,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "caption_channels": T5,
        "num_layers": 1,
    }
    target = ClipTarget(module.LTXVT5Tokenizer, module.ltxv_te())
    return diffusion(supported.LTXV, config), text(target, SHORT, t5xxl=t5_config())


def mochi() -> Built:
    module = comfy.text_encoders.genmo
    config = {
        "image_model": "mochi_preview",
        "depth": 2,
        "patch_size": 2,
        "num_heads": 2,
        "hidden_size_x": 64,
        "hidden_size_y": 64,
        "mlp_ratio_x": 192.0,  # the host asserts the product
        "mlp_ratio_y": 2.0,
        "learn_sigma": False,
        "in_channels": 12,
        "qk_norm": True,
        "qkv_bias": False,
        "out_bias": True,
        "attn_drop": 0.0,
        "patch_embed_bias": True,
        "posenc_preserve_area": True,
        "timestep_mlp_bias": True,
        "attend_to_padding": False,
        "timestep_scale": 1000.0,
        "use_t5": True,
        "t5_feat_dim": T5,
        "t5_token_length": 256,
        "rope_theta": 10000.0,
    }
    target = ClipTarget(module.MochiT5Tokenizer, module.mochi_te())
    return diffusion(supported.GenmoMochi, config), text(target, SHORT, t5xxl=t5_config())


COSMOS = {
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "num_blocks": 2,
    "num_heads": 2,
    "concat_padding_mask": True,
    "crossattn_emb_channels": T5,
    "pos_emb_cls": "rope3d",
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
}


def cosmos() -> Built:
    config = COSMOS | {
        "image_model": "cosmos",
        "block_config": "FA-CA-MLP",
        "block_x_format": "THWBD",
        "pos_emb_learnable": False,
        "affline_emb_norm": True,
        "extra_per_block_abs_pos_emb": True,
        "extra_per_block_abs_pos_emb_type": "learnable",
    }
    return diffusion(supported.CosmosT2V, config), cosmos_text()


def cosmos_predict2() -> Built:
    config = COSMOS | {"image_model": "cosmos_predict2", "pos_emb_learnable": True, "min_fps": 1, "max_fps": 30}
    return diffusion(supported.CosmosT2IPredict2, config), cosmos_text()


def cosmos_text():
    module = comfy.text_encoders.cosmos
    return text(ClipTarget(module.CosmosT5Tokenizer, module.te()), SHORT, t5xxl=t5_config())
