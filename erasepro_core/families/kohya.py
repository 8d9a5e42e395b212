"""What LoRA files call the UNet of Stable Diffusion 1 and 2: by the blocks of diffusers, as kohya's trainer does."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
