"""What other programs take of the file of an erasure, by the names of its layers (docs/format.md, "Other programs")."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_KOHYA = re.compile(r"lora_(?:te\d?_.*(?:_self_attn_(?:[qkv]|out)_proj|_mlp_fc[12])|unet_.*_attn2_to_[kv])")


@dataclass(frozen=True)
class Reader:
    """A program that reads LoRA files."""

    name: str
    pattern: re.Pattern[str]
    """The names of layers that it takes."""
    whole: bool = False
    """Whether it takes nothing of a file with a layer whose name does not start as kohya's names do."""
    advice: str = ""
    """What to do so that it erases."""


READERS = (
    Reader("ComfyUI, Load LoRA", re.compile(r"(?!.*\.rows$).*")),
    Reader(
        "ComfyUI, LoraLoaderModelOnly",
        re.compile(r"lora_unet_.*|diffusion_model\..*"),
        advice="load it with both MODEL and CLIP, or solve with where set to cross-attention",
    ),
    Reader(
        "diffusers",
        re.compile(r"lora_(?:te\d?|unet)_.*"),
        whole=True,
        advice="solve with own_tokens off; it knows the names of Stable Diffusion 1, 2 and XL alone",
    ),
    Reader("kohya's sd-scripts", _KOHYA, advice="solve with own_tokens off; it knows Stable Diffusion 1, 2, XL alone"),
)


def layers_of(tensors: Iterable[str]) -> set[str]:
    """The layers of a file, from the names of its tensors."""
    found = (re.fullmatch(r"(.*)\.(?:lora_up\.weight|(rows))", key) for key in tensors)
    return {f"{match[1]}.rows" if match[2] else match[1] for match in found if match}


def taken(program: str, tensors: Collection[str]) -> set[str]:
    """The layers that a program takes of a file."""
    reader, layers = next(each for each in READERS if each.name == program), layers_of(tensors)
    if reader.whole and not all(layer.startswith(("lora_te", "lora_unet_")) for layer in layers):
        return set()
    return {layer for layer in layers if reader.pattern.fullmatch(layer)}


def losses(tensors: Collection[str]) -> list[str]:
    """A line for each program that leaves layers of a file out, with what to do."""
    count, lines = len(layers_of(tensors)), []
    for reader in READERS:
        found = len(taken(reader.name, tensors))
        if found < count:
            advice = f": {reader.advice}" if reader.advice else ""
            share = f"{found} of {count}" if found else f"none or few of {count}"
            lines.append(f"{reader.name} takes {share} layers, so the concept may come back{advice}.")
    return lines
