"""The mini model as ComfyUI sees any other: a MODEL, a CLIP and a VAE, of the host's own classes.

One safetensors file holds everything, in float16: ``clip.*``, ``unet.*``, and of the token table only the rows of words
that the model knows (``token_ids`` names them). Every other row is zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import comfy.utils
import torch
from torch import Tensor, nn

CHECKPOINT = Path(__file__).parent / "model.safetensors"
WIDTH = 128
CLIP_CONFIG = {"hidden_size": WIDTH, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 2 * WIDTH}
UNET_CONFIG = {
    "image_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 32,
    "channel_mult": [1, 2, 2],
    "num_res_blocks": [1, 1, 1],
    "transformer_depth": [0, 1, 1],
    "transformer_depth_output": [0, 0, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "use_temporal_attention": False,
    "context_dim": WIDTH,
    "adm_in_channels": None,
}
EMBEDDING = "text_model.embeddings.token_embedding.weight"


class Pixels(comfy.latent_formats.LatentFormat):
    """Three channels that are already the picture, -1..1."""

    latent_channels = 3


class Mini(comfy.supported_models_base.BASE):
    """The configuration from which the host builds the diffusion model."""

    unet_config = UNET_CONFIG
    unet_extra_config: ClassVar = {"num_heads": 4, "num_head_channels": -1}
    latent_format = Pixels

    def inpaint_model(self) -> bool:
        return False

    def model_type(self, state_dict: dict, prefix: str = "") -> comfy.model_base.ModelType:
        return comfy.model_base.ModelType.V_PREDICTION


def build() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """A MODEL, a CLIP and a VAE in float32 whose weights are zero (norms: one) until something fills them."""
    device, rest = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    config = Mini(UNET_CONFIG)
    config.set_inference_dtype(torch.float32, None)
    model = comfy.model_patcher.ModelPatcher(config.get_model({}, "", rest), load_device=device, offload_device=rest)
    target = comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    clip = comfy.sd.CLIP(target, model_options={"clip_l_model_config": CLIP_CONFIG, "dtype": torch.float32})
    for module in (diffusion_model(model), text_model(clip)):
        _blank(module)
    with torch.no_grad():
        text_model(clip).text_projection.weight.copy_(torch.eye(WIDTH))
    return model, clip, comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})


def _blank(module: nn.Module) -> None:
    """Give every weight a value: the host's layers leave theirs uninitialised."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.fill_(1.0 if _is_norm_scale(module, name) else 0.0)


def _is_norm_scale(module: nn.Module, name: str) -> bool:
    owner, _, leaf = name.rpartition(".")
    return leaf == "weight" and isinstance(module.get_submodule(owner), (nn.LayerNorm, nn.GroupNorm))


def diffusion_model(model: comfy.model_patcher.ModelPatcher) -> Any:
    """The UNet inside a MODEL."""
    return model.model.diffusion_model


def text_model(clip: comfy.sd.CLIP) -> Any:
    """The text transformer inside a CLIP."""
    return clip.cond_stage_model.clip_l.transformer


def load(path: str | Path = CHECKPOINT) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """The trained model.

    Raises:
        RuntimeError: the file does not hold exactly this model's weights.
    """
    stored: Any = comfy.utils.load_torch_file(str(path))
    model, clip, vae = build()
    diffusion_model(model).load_state_dict(part(stored, "unet."))
    text = text_model(clip)
    weights = part(stored, "clip.")
    table = torch.zeros_like(text.get_parameter(EMBEDDING))
    table[stored["token_ids"]] = weights[EMBEDDING].to(table.dtype)
    text.load_state_dict({**weights, EMBEDDING: table})
    return model, clip, vae


def shaken(size: float = 0.5, seed: int = 0) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """The trained model with noise on its matrices, `size` times as large as the matrix: another model's weights."""
    model, clip, vae = load()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in (diffusion_model(model), text_model(clip)):
            for weight in module.parameters():
                if weight.ndim == 2:
                    known = weight.abs().sum(1, keepdim=True) > 0  # the token table is zero where there is no word
                    noise = torch.randn(weight.shape, generator=generator) * known
                    weight.add_(noise * (size * weight[known[:, 0]].std()))
    return model, clip, vae


def part(stored: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}


def pack(unet: dict[str, Tensor], text: dict[str, Tensor], token_ids: Tensor) -> dict[str, Tensor]:
    """What `load` reads, from state dicts; the text model's token table has one row for each of ``token_ids``."""
    halves = {f"unet.{key}": value.half() for key, value in unet.items()}
    halves |= {f"clip.{key}": value.half() for key, value in text.items()}
    return {key: value.contiguous() for key, value in halves.items()} | {"token_ids": token_ids}
