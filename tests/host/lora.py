"""A LoRA such as users put on their model, for tests: it changes everything a little."""

import re

import torch


def with_random_lora(both, size: float):
    """Clones with a random LoRA of rank 4 on every attention and feed-forward weight, `size` times as large as it."""
    from comfy.weight_adapter import LoRAAdapter

    model, clip = (each.clone() for each in both)
    generator = torch.Generator().manual_seed(0)
    for patcher in (model, clip.patcher):
        patches = {}
        for key, weight in patcher.model.state_dict().items():
            if re.search(r"(to_[qkv]|[qkv]_proj|out_proj|fc[12])\.weight$", key):
                up, down = (torch.randn(*s, generator=generator) for s in ((len(weight), 4), (4, weight.shape[1])))
                up *= size * weight.norm() / (up @ down).norm()
                patches[key] = LoRAAdapter(set(), (up, down, None, None, None, None))
        assert len(patcher.add_patches(patches)) == len(patches) > 10
    return model, clip
