"""The forms in which the host keeps the weight of a linear, made of any linear by the host's own classes."""

from __future__ import annotations

from typing import Any

import comfy.ops
import torch
from comfy.quant_ops import QuantizedTensor
from torch import Tensor, nn

KINDS = "float32", "float16", "bfloat16", "fp8", "scaled fp8", "quantised tensor"
FP8 = torch.float8_e4m3fn


def linear(kind: str, weight: Tensor, bias: Tensor | None = None) -> Any:
    """A layer of the host with this weight, `[d_out, d_in]` float32, as it would be after loading."""
    outputs, inputs = weight.shape
    if kind == "quantised tensor":
        layer: Any = comfy.ops.mixed_precision_ops(compute_dtype=torch.bfloat16).Linear(inputs, outputs)
        layer.layout_type = "TensorCoreFP8Layout"
        packed = QuantizedTensor.from_float(weight.bfloat16(), layer.layout_type, dtype=FP8)
    else:
        dtype = FP8 if "fp8" in kind else getattr(torch, kind)
        operations: Any = comfy.ops.scaled_fp8_ops() if kind == "scaled fp8" else comfy.ops.manual_cast
        layer = operations.Linear(inputs, outputs, dtype=dtype)
        scale = float(weight.abs().max()) / torch.finfo(FP8).max if kind == "scaled fp8" else 1.0
        if kind == "scaled fp8":
            layer.scale_weight.fill_(scale)
        packed = (weight / scale).to(dtype)
    layer.weight = nn.Parameter(packed, requires_grad=False)
    layer.bias = None if bias is None else nn.Parameter(bias.clone(), requires_grad=False)
    return layer


def keep_as(kind: str, model: nn.Module) -> None:
    """Makes every linear of a model one of a kind."""
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    for name, module in found:
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, linear(kind, module.weight.float(), module.bias))
