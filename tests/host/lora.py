"""What users do to a model beside erasing: a LoRA that changes everything a little, a merge, a saved checkpoint."""

import re
from pathlib import Path
from typing import Any

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


def merged(both, other, share: float):
    """A MODEL and CLIP of `share` of the first and the rest of the other, by the stock nodes."""
    from comfy_extras.nodes_model_merging import CLIPMergeSimple, ModelMergeSimple

    (model,) = ModelMergeSimple().merge(both[0], other[0], share)
    (clip,) = CLIPMergeSimple().merge(both[1], other[1], share)
    return model, clip


def baked(both, folder: Path):
    """Saved as the stock node saves a checkpoint, and read into a new mini model: no patch is left."""
    import comfy.sd
    import comfy.utils

    from tests.mini import model as mini_model

    comfy.sd.save_checkpoint(str(folder / "baked.safetensors"), *both)
    weights: Any = comfy.utils.load_torch_file(str(folder / "baked.safetensors"))
    model, clip, _ = mini_model.load()
    mini_model.diffusion_model(model).load_state_dict(mini_model.part(weights, "model.diffusion_model."))
    names = {name.split("transformer.", 1)[1]: name for name in weights if "text_model" in name or "text_proj" in name}
    text = {name: weights[full] for name, full in names.items()}
    missing = mini_model.text_model(clip).load_state_dict(text, strict=False).missing_keys
    assert set(missing) <= {"text_projection.weight"}
    assert not model.patches
    return model, clip


def random_lora_file(both, size: float) -> dict[str, torch.Tensor]:
    """The same LoRA as `with_random_lora`, as the tensors of a file that the stock loader reads."""
    tensors = {}
    for patcher, before in zip(with_random_lora(both, size), ("diffusion_model.", "text_encoders."), strict=True):
        inner = getattr(patcher, "patcher", patcher)
        for key, ((_, adapter, *_),) in inner.patches.items():
            name = before + key.removesuffix(".weight").removeprefix("diffusion_model.")
            tensors[f"{name}.lora_up.weight"], tensors[f"{name}.lora_down.weight"] = (
                factor.contiguous() for factor in adapter.weights[:2]
            )
    return tensors
