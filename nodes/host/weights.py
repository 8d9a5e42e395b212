"""The weights of a live model: reads them with all patches, and names what acts on a model beside them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import comfy.float
import comfy.lora
import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher, get_key_weight, string_to_seed
from comfy.quant_ops import QuantizedTensor
from comfy.sd import CLIP
from torch import Tensor, nn

from ...erasepro_core import LowRankUpdate, UpdateSet
from ...erasepro_core.sketch import fingerprint


class WeightError(ValueError):
    """A layer that keeps its weight in a form that cannot be read or patched."""


def effective_weight(patcher: ModelPatcher, key: str) -> Tensor:
    """A weight as it reaches the sampler, with every patch of this patcher and the host's rounding, in float32.

    The weight is on the device that computes. The model may be loaded, half loaded or not loaded; nothing is changed.
    """
    stored, _, convert = get_key_weight(patcher.model, key)
    if key in patcher.hook_backup:
        stored = patcher.hook_backup[key][0]
    elif key in patcher.backup:
        stored = patcher.backup[key].weight
    weight = stored.to(comfy.model_management.get_torch_device())
    if isinstance(weight, QuantizedTensor):
        weight = weight.dequantize()
    weight = weight.to(torch.float32, copy=True)
    if convert is not None:
        weight = convert(weight, inplace=True)
    patches = patcher.patches.get(key)
    if not patches:
        return weight
    weight = comfy.lora.calculate_weight(patches, weight, key)
    return comfy.float.stochastic_rounding(weight, stored.dtype, seed=string_to_seed(key)).to(torch.float32)


def refuse_packed(layer: nn.Module, name: str, side: str) -> None:
    """Raises WeightError unless the layer's weight is a plain matrix, or one that the host itself can unpack."""
    weight = cast(Any, layer).weight
    shape = layer_shape(layer)
    if isinstance(weight, QuantizedTensor):
        return
    plain = type(weight) in (Tensor, nn.Parameter) and weight.is_floating_point() and tuple(weight.shape) == shape
    if not plain:
        found = f"a {type(weight).__name__} of {weight.dtype} {list(weight.shape)}" if weight is not None else "none"
        raise WeightError(
            f"the weight of {name} in this {side} should be a matrix {shape[0]} x {shape[1]}, but is {found}: a form "
            "of quantisation, such as GGUF or 4 bits, that ErasePro cannot read. Load the model in fp16, bf16 or fp8. "
            "Nothing was changed."
        )


def fits(root: nn.Module, name: str, update: LowRankUpdate) -> bool:
    """Whether a model has a layer of this name with the shape of this update."""
    try:
        layer = root.get_submodule(name)
    except AttributeError:
        return False
    return layer_shape(layer) == (update.left.shape[0], update.right.shape[1])


def layer_shape(layer: nn.Module) -> tuple[int | None, int | None]:
    """Outputs and inputs of a linear; packed weights have other shapes, so the weight itself does not tell."""
    return getattr(layer, "out_features", None), getattr(layer, "in_features", None)


def fingerprints(model: ModelPatcher, clip: CLIP, updates: UpdateSet) -> dict[str, tuple[float, float]]:
    """Of the weights that updates change, as they are in a model; layers that the model lacks are left out."""
    sides = (clip.patcher, updates.text_encoder), (model, updates.diffusion_model)
    return {
        name: fingerprint(effective_weight(patcher, f"{name}.weight"))
        for patcher, part in sides
        for name, update in part.items()
        if fits(patcher.model, name, update)
    }


def beside_the_weights(patcher: ModelPatcher, layers: Collection[str], side: str) -> list[str]:
    """What changes the output of some layers at sampling, but is in no weight and no patch."""
    reasons = []
    if patcher.injections or patcher.hook_patches or patcher.forced_hooks:
        reasons.append(f"this {side} carries LoRAs that act through hooks or injections")
    replaced = [key for key in patcher.object_patches if any(_overlap(key, layer) for layer in layers)]
    return reasons + [f"this {side} has something else in place of its {key}" for key in replaced]


def _overlap(one: str, other: str) -> bool:
    """Whether one of two modules, given by name, contains the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
