"""What acts on a model beside its weights, and so cannot be measured: named, never guessed at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from comfy.model_patcher import ModelPatcher

IMAGE_PATCHES = frozenset(
    {"attn1_patch", "attn1_output_patch", "input_block_patch", "input_block_patch_after_skip", "output_block_patch"}
)
"""Patches that get image features alone; FreeU and HyperTile are such."""
IMAGE_REPLACEMENTS = frozenset({"attn1"})
"""Attention of the image to itself."""
MIXERS = frozenset(
    {"sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function", "denoise_mask_function"}
)
"""Functions that get what the model has answered, and mix it."""
HARMLESS_OBJECTS = frozenset({"model_sampling", "latent_format", "manual_cast_dtype"})
"""Parts of a model that read no text, which many stock nodes replace."""


@dataclass(frozen=True)
class Beside:
    """One thing that can change what the model understands, and is in no weight."""

    name: str
    """What the guard's `allow` calls it."""
    seen: str
    """The same as a sentence's end: where it is and what it does."""

    def __str__(self) -> str:
        return self.seen


def beside_the_weights(patcher: ModelPatcher, layers: Collection[str], side: str) -> list[Beside]:
    """Everything on a MODEL or CLIP that can change what some layers read or answer, or stand in for the model.

    Args:
        layers: the names of those that read text.
        side: what to call the patcher.
    """
    found = [*_loras(patcher, side), *_objects(patcher, side), *_options(patcher, side)]
    return [*dict.fromkeys(found), *_torch_hooks(patcher, layers, side)]


def _loras(patcher: ModelPatcher, side: str) -> Iterator[Beside]:
    act = f"this {side} carries LoRAs that act through hooks or injections"
    if patcher.hook_patches or patcher.forced_hooks:
        yield Beside("hooks", act)
    if patcher.injections:
        yield Beside("injections", f"{act} ({_keys(patcher.injections)})")


def _objects(patcher: ModelPatcher, side: str) -> Iterator[Beside]:
    for key in patcher.object_patches:
        if key not in HARMLESS_OBJECTS:
            yield Beside(key, f"this {side} has something else in place of its {key}")
    if functions := getattr(patcher, "weight_wrapper_patches", None):
        yield Beside("weight function", f"this {side} changes weights as they are used ({_keys(functions)})")


def _options(patcher: ModelPatcher, side: str) -> Iterator[Beside]:
    """What the host hands on to the sampler and into every block."""
    options: Mapping[str, Any] = patcher.model_options
    into_blocks: Mapping[str, Any] = options.get("transformer_options", {})
    for name, patches in into_blocks.get("patches", {}).items():
        if patches and name not in IMAGE_PATCHES:
            yield Beside(name, f"this {side} carries a patch of its blocks ({name})")
    for name, replaced in into_blocks.get("patches_replace", {}).items():
        if replaced and name not in IMAGE_REPLACEMENTS:
            yield Beside(f"{name} replacement", f"this {side} has something else in place of its {name} blocks")
    for wrappers in (patcher.wrappers, into_blocks.get("wrappers", {})):
        for kind, by_key in wrappers.items():
            if _any(by_key):
                yield Beside(f"{kind} wrapper", f"this {side} carries a wrapper of the model ({kind})")
    for callbacks in (patcher.callbacks, into_blocks.get("callbacks", {})):
        for kind, by_key in callbacks.items():
            if _any(by_key):
                yield Beside(f"{kind} callback", f"this {side} carries a callback of a custom node ({kind})")
    for name, value in [*options.items(), *into_blocks.items()]:
        if (callable(value) or name == "context_handler") and name not in MIXERS:
            yield Beside(name, f"this {side} carries a function that can stand in for the model ({name})")


def _torch_hooks(patcher: ModelPatcher, layers: Collection[str], side: str) -> list[Beside]:
    """Forward hooks on layers that read text, or on what contains them."""
    around = dict.fromkeys(
        ".".join(parts[:n]) for parts in (layer.split(".") for layer in layers) for n in range(len(parts) + 1)
    )
    modules = ((name, patcher.model.get_submodule(name)) for name in around)
    hooked = [name for name, module in modules if module._forward_hooks or module._forward_pre_hooks]
    return [Beside("forward hook", f"this {side} has a hook on its {name or 'model'}") for name in hooked]


def _any(by_key: Mapping[Any, Any]) -> bool:
    return any(bool(functions) for functions in by_key.values())


def _keys(things: Mapping[Any, Any]) -> str:
    return ", ".join(str(key) for key in list(things)[:3])
