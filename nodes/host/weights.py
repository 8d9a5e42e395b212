"""The weights of a live model, as its layers compute with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import comfy.float
import comfy.lora
import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher, get_key_weight
from comfy.quant_ops import QuantizedTensor
from comfy.sd import CLIP
from torch import Tensor, nn

from ...erasepro_core import UpdateSet
from ...erasepro_core.sketch import changed, fingerprint
from ...erasepro_core.update import RowUpdate, Update

LAYOUTS = "TensorCoreFP8Layout", "TensorCoreFP8E4M3Layout", "TensorCoreFP8E5M2Layout"
"""Of the host's quantised tensors, those whose layers are known to round a weight as their setter does."""
Reader = Callable[..., Tensor]
"""A layer's own way to make numbers of what it stores."""


class WeightError(ValueError):
    """A layer that keeps its weight in a form that cannot be read or patched."""


def effective_weight(patcher: ModelPatcher, key: str) -> Tensor:
    """A weight as its layer computes with it once this patcher is loaded, with all patches and rounding, in float32.

    The host's own code does the rounding: the layer's setter for a quantised weight, or the layer's own function where
    the host patches a weight at every forward pass. The weight is on the device that computes. The model may be loaded,
    half loaded or not loaded; nothing is changed.
    """
    stored, setter, reader = get_key_weight(patcher.model, key)
    if key in patcher.hook_backup:
        stored = patcher.hook_backup[key][0]
    elif key in patcher.backup:
        stored = patcher.backup[key].weight
    stored = stored.to(comfy.model_management.get_torch_device())
    patches = patcher.patches.get(key)
    if not patches:
        return _read(stored, reader, torch.float32)
    if in_forward := _patch_in_forward(patcher, key):
        dtype = _forward_dtype(patcher.model)
        return _read(_dense(in_forward(_dense(stored, dtype)), dtype), reader, torch.float32)

    def patched() -> Tensor:  # nobody keeps it: a table of tokens is large, and the rounded one stands beside it
        return comfy.lora.calculate_weight(patches, _read(stored, reader, _patch_dtype(stored.device)), key)

    if setter is None:
        return comfy.float.stochastic_rounding(patched(), stored.dtype, seed=_seed(key)).to(torch.float32)
    return _read(setter(patched(), inplace_update=False, seed=_seed(key), return_weight=True), reader, torch.float32)


def _dense(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy in a precision, unpacked as the host does it; a scale that the layer keeps is not applied."""
    weight = weight.to(dtype, copy=True)
    return weight.dequantize() if isinstance(weight, QuantizedTensor) else weight


def _read(weight: Tensor, reader: Reader | None, dtype: torch.dtype) -> Tensor:
    """A copy in a precision, unpacked, with the scale of its layer."""
    weight = _dense(weight, dtype)
    return weight if reader is None else reader(weight, inplace=True)


def _patch_in_forward(patcher: ModelPatcher, key: str) -> Callable[[Tensor], Tensor] | None:
    """The function that patches a weight at every forward pass, if that is how the host has loaded this patcher."""
    layer: Any = patcher.model.get_submodule(key.rpartition(".")[0])
    functions = getattr(layer, "weight_function", ())
    return next((each for each in functions if getattr(each, "patches", None) is patcher.patches), None)


def _forward_dtype(model: Any) -> torch.dtype:
    """The precision of a layer's input: what a diffusion model computes in; float32 in text encoders."""
    if not hasattr(model, "get_dtype"):
        return torch.float32
    return getattr(model, "manual_cast_dtype", None) or model.get_dtype()


def _patch_dtype(device: torch.device) -> torch.dtype:
    """The precision in which the host adds patches to a weight; a setting of newer hosts."""
    chosen = getattr(comfy.model_management, "lora_compute_dtype", None)
    return torch.float32 if chosen is None else chosen(device)


def _seed(key: str) -> int:
    """The host's seed for the rounding of a weight; newer hosts have it elsewhere and warn of the old place."""
    home: Any = comfy.utils if hasattr(comfy.utils, "string_to_seed") else comfy.model_patcher
    return home.string_to_seed(key)


def refuse_packed(layer: nn.Module, name: str, side: str) -> None:
    """Raises WeightError unless the layer's weight is a plain matrix, or one that the host itself packs and unpacks."""
    found = _unreadable(layer)
    if found is not None:
        outputs, inputs = layer_shape(layer)
        raise WeightError(
            f"the weight of {name} in this {side} should be a matrix {outputs} x {inputs}, but is {found}: a form "
            "of quantisation, such as GGUF or 4 bits, that ErasePro cannot read. Load the model in fp16, bf16 or fp8. "
            "Nothing was changed."
        )


def _unreadable(layer: nn.Module) -> str | None:
    """What is in place of a weight that can be measured; None if it can."""
    weight = cast(Any, layer).weight
    if weight is None:
        return "none"
    if getattr(layer, "pre_quant_scale", None) is not None:
        return "made for inputs that the layer scales first (pre_quant_scale)"
    setter = getattr(layer, "set_weight", None)
    if setter is not None and "return_weight" not in inspect.signature(setter).parameters:
        return f"kept by a {type(layer).__name__} with a setter of its own"
    if isinstance(weight, QuantizedTensor):
        layout = str(getattr(weight, "_layout_type", None) or getattr(weight, "_layout_cls", None))
        return None if layout in LAYOUTS and setter is not None else f"a QuantizedTensor of layout {layout}"
    plain = type(weight) in (Tensor, nn.Parameter) and weight.is_floating_point()
    if plain and tuple(weight.shape) == layer_shape(layer):
        return None
    return f"a {type(weight).__name__} of {weight.dtype} {list(weight.shape)}"


def fits(root: nn.Module, name: str, update: Update) -> bool:
    """Whether a model has a layer of this name with the shape of this update."""
    try:
        layer = root.get_submodule(name)
    except AttributeError:
        return False
    height = update.height if isinstance(update, RowUpdate) else update.left.shape[0]
    return layer_shape(layer) == (height, update.right.shape[1])


def layer_shape(layer: nn.Module) -> tuple[int | None, int | None]:
    """Outputs and inputs of a linear, or rows and width of a table; packed weights have other shapes."""
    if isinstance(layer, nn.Embedding):
        return layer.num_embeddings, layer.embedding_dim
    return getattr(layer, "out_features", None), getattr(layer, "in_features", None)


def fingerprints(model: ModelPatcher, clip: CLIP, updates: UpdateSet) -> dict[str, tuple[float, float]]:
    """Of the weights that updates change, as they are in a model; layers that the model lacks are left out."""
    sides = (clip.patcher, updates.text_encoder), (model, updates.diffusion_model)
    return {
        name: fingerprint(changed(effective_weight(patcher, f"{name}.weight"), update))
        for patcher, part in sides
        for name, update in part.items()
        if fits(patcher.model, name, update)
    }
