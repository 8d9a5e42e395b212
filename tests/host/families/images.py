"""Tiny models that draw pictures: those whose text goes through a language model or one T5, and Stable Cascade."""

from __future__ import annotations

from typing import Any

import comfy.ldm.chroma.model
import comfy.ldm.flux.model
import comfy.ldm.hunyuan_video.model
import comfy.sd
import comfy.supported_models as supported
import comfy.text_encoders.aura_t5
import comfy.text_encoders.flux
import comfy.text_encoders.hidream
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.llama
import comfy.text_encoders.omnigen2
import comfy.text_encoders.pixart_t5
import comfy.text_encoders.z_image
from comfy import sd1_clip, sdxl_clip
from comfy.supported_models_base import ClipTarget

from .build import (
    LLM,
    LLM_CONFIG,
    T5,
    Built,
    G,
    L,
    clip_config,
    diffusion,
    if_asked,
    mistral_tokenizer,
    t5_config,
    text,
    without_eyes,
)

DEEPER = LLM_CONFIG | {"num_hidden_layers": 4}
"""For encoders that are read at their third block from the end, or at several."""
WIDE = DEEPER | {"hidden_size": 192, "intermediate_size": 192}
"""For templates of about 100 tokens, which all stay as they are: fewer values than tokens would leave no room."""
STATES = [1, 2, 3]
"""Which hidden states a tiny Flux.2 reads; real ones read 10, 20, 30 or 9, 18, 27."""


CASCADE = {
    "c_cond": 64,
    "c_hidden": [64],
    "nhead": [2],
    "blocks": [[1], [1]],
    "block_repeat": [[1], [1]],
    "level_config": ["CTA"],
}
"""What both of its models share."""


def stable_cascade() -> Built:
    config = {"stable_cascade_stage": "c", **CASCADE, "c_clip_text": G, "c_clip_text_pooled": G}
    return diffusion(supported.Stable_Cascade_C, config), cascade_text()


def stable_cascade_b() -> Built:
    config = {"stable_cascade_stage": "b", **CASCADE, "c_clip": G}
    return diffusion(supported.Stable_Cascade_B, config), cascade_text()


def cascade_text() -> comfy.sd.CLIP:
    target = ClipTarget(sdxl_clip.StableCascadeTokenizer, sdxl_clip.StableCascadeClipModel)
    return text(target, clip_g=clip_config(G, 3))


FLUX_LIKE = {
    "in_channels": 16,
    "out_channels": 16,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 2,
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
}


def chroma() -> Built:
    module = comfy.text_encoders.pixart_t5
    config = FLUX_LIKE | {
        "image_model": "chroma",
        "context_in_dim": T5,
        "axes_dim": [8, 12, 12],
        "in_channels": 64,
        "out_channels": 64,
        "in_dim": 64,
        "out_dim": 64,
        "hidden_dim": 64,
        "n_layers": 1,
        **if_asked(comfy.ldm.chroma.model.ChromaParams, txt_ids_dims=[], vec_in_dim=None),
    }
    target = ClipTarget(module.PixArtTokenizer, module.pixart_te())
    return diffusion(supported.Chroma, config), text(target, t5xxl=t5_config())


class Mistral(comfy.text_encoders.flux.Mistral3_24BModel):
    """With other hidden states, for fewer layers."""

    def __init__(self, **settings):
        super().__init__(layer=STATES, **settings)


class Qwen3(comfy.text_encoders.z_image.Qwen3_4BModel):
    """The same of Qwen 3."""

    def __init__(self, **settings):
        super().__init__(**{"layer": STATES, "layer_idx": None, **settings})


class Flux2Text(comfy.text_encoders.flux.Flux2TEModel):
    """Flux.2's, with fewer layers."""

    def __init__(self, **settings):
        super().__init__(clip_model=Mistral, **settings)


def flux2() -> Built:
    target = ClipTarget(comfy.text_encoders.flux.Flux2Tokenizer, Flux2Text)
    with mistral_tokenizer():
        clip = text(target, mistral3_24b=DEEPER)
    return flux2_model(), clip


def flux2_klein_4b() -> Built:
    return klein("qwen3_4b")


def flux2_klein_9b() -> Built:
    return klein("qwen3_8b")


def klein(encoder: str) -> Built:
    """Klein as hosts build it since 0.9, put together from 0.3.75's own classes, with less padding."""

    class Text(comfy.text_encoders.flux.Flux2TEModel):
        def __init__(self, **settings):
            super().__init__(**{"name": encoder, "clip_model": Qwen3, **settings})

    class Tokenizer(comfy.text_encoders.z_image.ZImageTokenizer):
        def __init__(self, embedding_directory=None, tokenizer_data=None):
            inner = comfy.text_encoders.z_image.Qwen3Tokenizer
            data: dict[str, Any] = {"embedding_directory": embedding_directory, "tokenizer_data": tokenizer_data}
            sd1_clip.SD1Tokenizer.__init__(self, **data, **{"name": encoder, "tokenizer": inner})
            self.llama_template = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"

    config = {encoder: DEEPER}
    return flux2_model(), text(ClipTarget(Tokenizer, Text), {"qwen3_4b_min_length": 64}, **config)


def flux2_model():
    config = FLUX_LIKE | {
        "image_model": "flux2",
        "in_channels": 128,
        "out_channels": 128,
        "patch_size": 1,
        "vec_in_dim": None,
        "context_in_dim": len(STATES) * LLM,
        "axes_dim": [8, 8, 8, 8],
        "theta": 2000,
        "qkv_bias": False,
        "guidance_embed": True,
        "global_modulation": True,
        "mlp_silu_act": True,
        "ops_bias": False,
        "default_ref_method": "index",
        "ref_index_scale": 10.0,
        **if_asked(comfy.ldm.flux.model.FluxParams, txt_ids_dims=[3]),
    }
    return diffusion(supported.Flux2, config)


def aura_flow() -> Built:
    module = comfy.text_encoders.aura_t5
    config = {
        "in_channels": 4,
        "out_channels": 4,
        "patch_size": 2,
        "dim": 64,
        "n_layers": 2,
        "n_double_layers": 1,
        "n_heads": 2,
        "global_conddim": 64,
        "cond_seq_dim": T5,
        "max_seq": 64,
    }
    target = ClipTarget(module.AuraT5Tokenizer, module.AuraT5Model)
    return diffusion(supported.AuraFlow, config), text(target, pile_t5xl=t5_config())


def hunyuan_refiner(**more: object) -> dict[str, object]:
    """A tiny HunyuanVideo, whose token refiner has two blocks in every size."""
    return FLUX_LIKE | {
        "image_model": "hunyuan_video",
        "vec_in_dim": None,
        "context_in_dim": LLM,
        "axes_dim": [8, 12, 12],
        "theta": 256,
        "patch_size": [1, 2, 2],
        "guidance_embed": False,
        "byt5": False,
        "meanflow": False,
        "use_cond_type_embedding": False,
        "vision_in_dim": None,
        **if_asked(comfy.ldm.hunyuan_video.model.HunyuanVideoParams, meanflow_sum=False),
        **more,
    }


def hunyuan_image_21() -> Built:
    module = comfy.text_encoders.hunyuan_image
    config = hunyuan_refiner(in_channels=64, out_channels=64, patch_size=[1, 1], axes_dim=[16, 16], byt5=True)
    with without_eyes():
        clip = text(ClipTarget(module.HunyuanImageTokenizer, module.te(byt5=False)), qwen25_7b=DEEPER)
    return diffusion(supported.HunyuanImage21, config), clip


def hidream(clip_l: bool = True, clip_g: bool = True, t5: bool = True, llama: bool = True) -> Built:
    module = comfy.text_encoders.hidream
    pooled = (L if clip_l else 768) + (G if clip_g else 1280)
    config = {
        "image_model": "hidream",
        "attention_head_dim": 32,
        "axes_dims_rope": [16, 8, 8],
        "caption_channels": [T5 if t5 else 4096, LLM if llama else 4096],
        "max_resolution": [16, 16],
        "in_channels": 16,
        "out_channels": 16,
        "llama_layers": [0, 1, 2, 2],
        "num_attention_heads": 2,
        "num_routed_experts": 1,
        "num_activated_experts": 1,
        "num_layers": 2,
        "num_single_layers": 2,
        "patch_size": 2,
        "text_emb_dim": pooled,
    }
    target = ClipTarget(module.HiDreamTokenizer, module.hidream_clip(clip_l=clip_l, clip_g=clip_g, t5=t5, llama=llama))
    less = {"t5xxl_max_length": 64, "t5xxl_min_length": 64, "llama_min_length": 64}
    encoders = {"clip_l": clip_config(L, 2), "clip_g": clip_config(G, 3), "t5xxl": t5_config(), "llama": LLM_CONFIG}
    return diffusion(supported.HiDream, config), text(target, less, **encoders)


def omnigen2() -> Built:
    module = comfy.text_encoders.omnigen2
    config = {
        "image_model": "omnigen2",
        "axes_dim_rope": [8, 12, 12],
        "axes_lens": [256, 64, 64],
        "hidden_size": 64,
        "in_channels": 16,
        "multiple_of": 16,
        "num_attention_heads": 2,
        "num_kv_heads": 1,
        "num_layers": 1,
        "num_refiner_layers": 1,
        "patch_size": 2,
        "text_feat_dim": LLM,
        "timestep_scale": 1000.0,
    }
    target = ClipTarget(module.Omnigen2Tokenizer, module.te())
    return diffusion(supported.Omnigen2, config), text(target, qwen25_3b=LLM_CONFIG)
