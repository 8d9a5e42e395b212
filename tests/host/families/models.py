"""Tiny models of every family: the host's own classes with few and narrow layers and seeded random weights.

Tokenizers are the host's. Those that come inside a checkpoint (Gemma, mT5, umT5) are small real sentencepiece models.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sd
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
from torch import Tensor, nn

from erasepro_core.concept import KINDS
from erasepro_core.neutral import FIT_PROMPTS, PROBE_PROMPTS

Built = tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]

L, G, T5, LLM = 256, 128, 96, 96
"""Widths of CLIP-L, the larger CLIPs, T5 and language models."""
SIZES = 6 * 256
"""What SDXL adds to its pooled vector."""


def clip_config(width: int, layers: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * width,
    }


def t5_config(width: int = T5) -> dict[str, int]:
    return {"d_model": width, "d_ff": 128, "d_kv": 16, "num_heads": 4, "num_layers": 3}


LLM_CONFIG = {
    "hidden_size": LLM,
    "intermediate_size": 2 * LLM,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
UNET = {
    "image_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "use_temporal_attention": False,
    "num_heads": 4,
    "num_head_channels": -1,
    "adm_in_channels": None,
}


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
        "t5xxl": t5_config(4096) | {"d_ff": 64, "num_layers": 2},
    }
    model = diffusion(supported.SD3, config)
    model.model.diffusion_model.pos_embed.zero_()  # a buffer, which the host leaves uninitialised as it does weights
    return model, text(target, **encoders)


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
        "depth_single_blocks": 1,
        "axes_dim": [8, 12, 12],
        "theta": 10000,
        "patch_size": 2,
        "qkv_bias": True,
        "guidance_embed": False,
    }
    target = ClipTarget(module.FluxTokenizer, module.flux_clip())
    return diffusion(supported.FluxSchnell, config), text(target, clip_l=clip_config(L, 2), t5xxl=t5_config())


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
        "mlp_ratio": 2.0,
        "size_cond": True,
        "use_style_cond": True,
    }
    target = ClipTarget(module.HyditTokenizer, module.HyditModel)
    data = {"mt5xl.spiece_model": pieces(bos=-1, eos=1, unk=2)}
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
        "num_layers": 1,
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


MODELS: dict[str, Callable[[], Built]] = {
    build.__name__: build
    for build in (
        sd1, sd2, sdxl, sdxl_refiner, sd3, flux, pixart, hunyuan_dit, lumina2, z_image, qwen_image, wan,
    )
}  # fmt: skip


def rounded(name: str, dtype: torch.dtype) -> Built:
    """A family's tiny model with its linears in a precision, and the rest in it too where hosts keep it so."""
    model, clip = MODELS[name]()
    for module in (model.model, clip.cond_stage_model):
        for part in [module] if dtype.itemsize > 1 else [m for m in module.modules() if isinstance(m, nn.Linear)]:
            part.to(dtype)
    return model, clip


def unet(model: type[BASE], width: int, **more: object) -> comfy.model_patcher.ModelPatcher:
    return diffusion(model, UNET | {"context_dim": width, **more})


def diffusion(model: type[BASE], config: dict[str, Any]) -> comfy.model_patcher.ModelPatcher:
    """A MODEL in float32 with random weights."""
    described = model(config)
    described.unet_config |= config  # a family's own extra settings name sizes of the real model
    described.set_inference_dtype(torch.float32, None)
    device, rest = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    built = described.get_model({}, "", rest)
    fill(built.diffusion_model)
    return comfy.model_patcher.ModelPatcher(built, load_device=device, offload_device=rest)


def text(target: ClipTarget, data: dict | None = None, **configs: dict) -> comfy.sd.CLIP:
    """A CLIP in float32 with random weights."""
    options = {f"{name}_model_config": config for name, config in configs.items()}
    clip = comfy.sd.CLIP(target, tokenizer_data=data or {}, model_options=options | {"dtype": torch.float32})
    fill(clip.cond_stage_model)
    return clip


def fill(module: nn.Module) -> None:
    """Random weights at the scale of a fresh model: the host's layers leave theirs uninitialised."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            owner, _, leaf = name.rpartition(".")
            parent = module.get_submodule(owner)
            if leaf == "weight" and weight.ndim == 1:
                weight.fill_(0.0 if getattr(parent, "add", False) else 1.0)
            elif leaf == "bias" or weight.ndim < 2:
                weight.normal_(std=0.02, generator=generator)
            elif isinstance(parent, nn.Embedding):
                # Positions say little beside tokens, as in trained encoders: padding is near-copies of one feature.
                weight.normal_(std=0.02 if "position" in name else 1.0, generator=generator)
            else:
                weight.normal_(std=weight[0].numel() ** -0.5, generator=generator)


VOCABULARY = 420


@functools.cache
def pieces(bos: int, eos: int, unk: int) -> Tensor:
    """A sentencepiece model of the pack's own sentences, with the given numbers for special pieces."""
    import sentencepiece

    lines = [*FIT_PROMPTS, *PROBE_PROMPTS, *(t for kind in KINDS for t in (*kind.templates, *kind.unseen))]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, "a circle , a square , a triangle , a star , a disc"]),
        model_writer=written,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=bos,
        eos_id=eos,
        unk_id=unk,
        minloglevel=2,
    )
    return torch.tensor(list(written.getvalue()), dtype=torch.uint8)


def without_eyes() -> Any:
    """Leaves the vision tower of a language model out while it is built."""
    import unittest.mock

    from comfy.text_encoders import qwen_vl

    return unittest.mock.patch.object(qwen_vl, "Qwen2VLVisionTransformer", lambda **_: nn.Identity())
