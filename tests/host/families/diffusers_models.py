"""Tiny transformers of diffusers, as wide as the host's tiny models of the same families, with diffusers' loaders."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

diffusers: Any = importlib.import_module("diffusers")  # the type checker's path does not have it
lora_pipeline: Any = importlib.import_module("diffusers.loaders.lora_pipeline")

Widths = Mapping[str, int]
"""How many values each edited linear of the diffusion model reads, by its name."""

TINY = {"attention_head_dim": 32, "num_attention_heads": 2}
ONE = TINY | {"num_layers": 1}
AXES = {"axes_dims_rope": (8, 12, 12)}
_FLUX = ONE | AXES | {"num_single_layers": 1, "in_channels": 16}


def _sd3(widths: Widths) -> Any:
    width = {"joint_attention_dim": widths["context_embedder"], "pooled_projection_dim": widths["y_embedder.mlp.0"]}
    return diffusers.SD3Transformer2DModel(
        **ONE | {"attention_head_dim": 64}, **width, sample_size=8, caption_projection_dim=128, pos_embed_max_size=8
    )


def _flux(widths: Widths) -> Any:
    width = {"joint_attention_dim": widths["txt_in"], "pooled_projection_dim": widths["vector_in.in_layer"]}
    return diffusers.FluxTransformer2DModel(**_FLUX, **width)


def _flux2(widths: Widths) -> Any:
    return diffusers.Flux2Transformer2DModel(
        **ONE, num_single_layers=1, joint_attention_dim=widths["txt_in"], axes_dims_rope=(8, 8, 8, 8)
    )


def _aura_flow(widths: Widths) -> Any:
    sizes = {"sample_size": 8, "num_mmdit_layers": 1, "num_single_dit_layers": 1, "pos_embed_max_size": 64}
    width = {"joint_attention_dim": widths["cond_seq_linear"], "caption_projection_dim": 64}
    return diffusers.AuraFlowTransformer2DModel(**TINY, **sizes, **width)


def _hidream(widths: Widths) -> Any:
    captions = [widths["caption_projection.4.linear"], widths["caption_projection.0.linear"]]
    return diffusers.HiDreamImageTransformer2DModel(
        **TINY,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        caption_channels=captions,
        text_emb_dim=widths["p_embedder.pooled_embedder.linear_1"],
        num_routed_experts=1,
        num_activated_experts=1,
        axes_dims_rope=(16, 8),
        max_resolution=(16, 16),
        llama_layers=[0, 1, 2, 2],
    )


def _z_image(widths: Widths) -> Any:
    sizes = {"dim": 64, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2}
    axes = {"axes_dims": [8, 12, 12], "axes_lens": [64, 64, 64]}
    return diffusers.ZImageTransformer2DModel(**sizes, **axes, cap_feat_dim=widths["cap_embedder.1"])


def _qwen_image(widths: Widths) -> Any:
    return diffusers.QwenImageTransformer2DModel(**ONE, **AXES, joint_attention_dim=widths["txt_in"])


def _wan(widths: Widths) -> Any:
    return diffusers.WanTransformer3DModel(**ONE, text_dim=widths["text_embedding.0"], freq_dim=32, ffn_dim=64)


def _ltxv(widths: Widths) -> Any:
    return diffusers.LTXVideoTransformer3DModel(
        **ONE, cross_attention_dim=64, caption_channels=widths["caption_projection.linear_1"]
    )


def _pipeline(loader: type, transformer: Callable[[Widths], Any]) -> Callable[[Widths], Any]:
    """A pipeline of which nothing is there but its loader of LoRAs and its transformer."""

    def make(widths: Widths) -> Any:
        made = type("Pipeline", (loader,), {"components": {}, "hf_device_map": None})()
        made.transformer, made.text_encoder, made.text_encoder_2 = transformer(widths), None, None
        return made

    return make


PIPELINES: dict[str, Callable[[Widths], Any]] = {
    "sd3": _pipeline(lora_pipeline.SD3LoraLoaderMixin, _sd3),
    "flux": _pipeline(lora_pipeline.FluxLoraLoaderMixin, _flux),
    "flux2": _pipeline(lora_pipeline.Flux2LoraLoaderMixin, _flux2),
    "flux2_klein_4b": _pipeline(lora_pipeline.Flux2LoraLoaderMixin, _flux2),
    "aura_flow": _pipeline(lora_pipeline.AuraFlowLoraLoaderMixin, _aura_flow),
    "hidream": _pipeline(lora_pipeline.HiDreamImageLoraLoaderMixin, _hidream),
    "z_image": _pipeline(lora_pipeline.ZImageLoraLoaderMixin, _z_image),
    "qwen_image": _pipeline(lora_pipeline.QwenImageLoraLoaderMixin, _qwen_image),
    "wan": _pipeline(lora_pipeline.WanLoraLoaderMixin, _wan),
    "ltxv": _pipeline(lora_pipeline.LTXVideoLoraLoaderMixin, _ltxv),
}
"""By family, from the widths of its edited linears."""
