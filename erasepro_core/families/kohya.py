"""What LoRA files call the UNet of Stable Diffusion 1 and 2: by the blocks of diffusers, as kohya's trainer does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

KOHYA_BLOCKS = {
    **{f"input_blocks_{1 + 3 * i + j}_1": f"down_blocks_{i}_attentions_{j}" for i in range(3) for j in range(2)},
    "middle_block_1": "mid_block_attentions_0",
    **{f"output_blocks_{3 * i + j}_1": f"up_blocks_{i}_attentions_{j}" for i in range(1, 4) for j in range(3)},
}
"""The blocks of that UNet which read text, by their own names."""

_BLOCK = re.compile(r"(?<=^lora_unet_)(?:(?:input|output)_blocks_\d+|middle_block)_1(?=_)")


def kohya_names(keys: Sequence[str]) -> list[str]:
    """The keys of an erasure as every loader knows them.

    ComfyUI and Forge read either naming; kohya's scripts would pass over the UNet's own names, and what is passed over
    is not erased. Keys of any other UNet, such as SDXL's, stay: there the own names are what all use.
    """
    found = {match[0] for key in keys if (match := _BLOCK.search(key))}
    if found != set(KOHYA_BLOCKS):
        return list(keys)
    return [_BLOCK.sub(lambda match: KOHYA_BLOCKS[match[0]], key) for key in keys]


_ATTENTION = re.compile(r"(lora_te\d?_text_model_encoder_layers_\d+_self_attn_)[qkv]_proj\.lora_down\.weight")


def with_companions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, and zeros for the last linear of each attention of a CLIP whose others are in it.

    diffusers takes queries, keys and values for a LoRA's only where the last linear is in the file too. Without those
    of the first block, most of a concept comes back there (docs/format.md).
    """
    added: dict[str, Tensor] = {}
    for key, right in tensors.items():
        if (found := _ATTENTION.fullmatch(key)) and f"{found[1]}out_proj.lora_down.weight" not in tensors:
            width, last = right.shape[1], f"{found[1]}out_proj"
            added[f"{last}.lora_up.weight"] = right.new_zeros(width, 1)
            added[f"{last}.lora_down.weight"] = right.new_zeros(1, width)
            added[f"{last}.alpha"] = torch.tensor(1.0)
    return {**tensors, **added}


def without_companions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same without such zeros; what is not zero stays, for the reader to refuse."""
    last = re.compile(r"lora_te\d?_text_model_encoder_layers_\d+_self_attn_out_proj")
    found = {match[0] for key in tensors if (match := last.match(key))}
    zeros = {name for name in found if not any(t.any() for k, t in tensors.items() if k.startswith(f"{name}.lora_"))}
    return {key: tensor for key, tensor in tensors.items() if key.partition(".")[0] not in zeros}
