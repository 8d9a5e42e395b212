"""Zeros that a file has beside its layers, without which other programs pass over what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_ATTENTION = re.compile(r"(lora_te\d?_text_model_encoder_layers_\d+_self_attn_)[qkv]_proj\.lora_down\.weight")
_LAST = r"lora_te\d?_text_model_encoder_layers_\d+_self_attn_out_proj"
_GATES = {"diffusion_model.text_embedding.0": "diffusion_model.blocks.0.cross_attn.o"}
"""By a layer: one that has to be there too, with as many inputs and outputs as it has outputs."""


def with_companions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, with zeros for layers that diffusers wants beside those that are in it.

    It takes queries, keys and values of a CLIP's attention for a LoRA's only where the last linear is in the file too.
    Without those of the first block, most of a concept comes back there. It reads no file of Wan without a block
    (docs/format.md).
    """
    added: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if (found := _ATTENTION.fullmatch(key)) and f"{found[1]}out_proj.lora_down.weight" not in tensors:
            width, last = tensor.shape[1], f"{found[1]}out_proj"
            added[f"{last}.lora_up.weight"] = tensor.new_zeros(width, 1)
            added[f"{last}.lora_down.weight"] = tensor.new_zeros(1, width)
            added[f"{last}.alpha"] = torch.tensor(1.0)
        layer = key.removesuffix(".lora_B.weight")
        if layer != key and layer in _GATES:
            other = _GATES[layer]
            added[f"{other}.lora_B.weight"] = tensor.new_zeros(len(tensor), 1)
            added[f"{other}.lora_A.weight"] = tensor.new_zeros(1, len(tensor))
    return {**tensors, **added}


def without_companions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same without such zeros; what is not zero stays, for the reader to refuse."""
    others = "|".join(map(re.escape, _GATES.values()))
    companion = re.compile(rf"(?:{_LAST}|{others})(?=\.)")
    found = {match[0] for key in tensors if (match := companion.match(key))}
    zeros = {name for name in found if not any(t.any() for k, t in tensors.items() if k.startswith(f"{name}.lora_"))}
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(tuple(f"{name}." for name in zeros))}
