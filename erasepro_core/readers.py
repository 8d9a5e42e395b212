"""What other programs take of the file of an erasure, by the names of its layers (docs/format.md, "Other programs")."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

ALL = "every family"
_CLIP = r"lora_te\d?_.*(?:_self_attn_(?:[qkv]|out)_proj|_mlp_fc[12])"
_KOHYA = rf"{_CLIP}|lora_unet_.*_attn2_to_[kv]"
_UNETS: tuple[str, ...] = "sd1", "sd2", "sdxl"
_MODEL, _TEXT = "where set to cross-attention", "where set to text encoder"


@dataclass(frozen=True)
class Reader:
    """A program that reads LoRA files."""

    name: str
    takes: Mapping[str, str]
    """The names of layers that it takes, as patterns by family; nothing of a family that is not named."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Names of layers, of which one is enough that it takes nothing of the file, as patterns by family."""
    where: Mapping[str, str] = field(default_factory=dict)
    """What to solve with besides, so that it takes all, by family; "" where nothing helps."""

    def knows(self, family: str) -> bool:
        """Whether it takes anything of files for a family."""
        return family in self.takes or ALL in self.takes

    def taken(self, family: str, layers: Collection[str]) -> set[str]:
        """Those of the layers of a file that it takes."""
        takes, refuses = (of.get(family, of.get(ALL, "(?!)")) for of in (self.takes, self.refuses))
        if any(re.fullmatch(refuses, layer) for layer in layers):
            return set()
        return {layer for layer in layers if re.fullmatch(takes, layer)}


_NOT_KOHYA = r"(?!lora_).*"
_OF_ENCODERS = r"text_encoders\..*"
_TRANSFORMERS: dict[str, str] = {
    **dict.fromkeys(("sd3", "flux", "aura_flow", "hidream"), r"transformer\..*"),
    **dict.fromkeys(("flux2", "flux2_klein_4b", "flux2_klein_9b"), r"lora_unet_.*"),
    **dict.fromkeys(("z_image", "qwen_image", "ltxv", "wan"), r"diffusion_model\..*"),
}
"""Families of whose diffusion model diffusers takes the linears, and the names that they have."""

READERS = (
    Reader("ComfyUI, Load LoRA", {ALL: r".*(?<!\.rows)"}),
    Reader(
        "ComfyUI, LoraLoaderModelOnly",
        {ALL: r"lora_unet_.*|diffusion_model\..*|transformer\..*"},
        where={ALL: _MODEL},
    ),
    Reader(
        "diffusers",
        {**dict.fromkeys(_UNETS, r"lora_.*"), **_TRANSFORMERS},
        {**dict.fromkeys(_UNETS, _NOT_KOHYA), **dict.fromkeys(("ltxv", "wan"), _OF_ENCODERS)},
        dict.fromkeys(_TRANSFORMERS, _MODEL),
    ),
    Reader(
        "kohya's sd-scripts",
        dict.fromkeys(_UNETS, _KOHYA) | {"flux": _CLIP.replace(r"\d?", "1")},
        where={"flux": "", "sdxl": _TEXT},
    ),
    Reader(
        "Forge",
        dict.fromkeys(_UNETS, r"lora_.*") | {"flux": r"lora_.*|transformer\..*", "chroma": r"lora_.*|diffusion_.*"},
    ),
    Reader(
        "InvokeAI",
        dict.fromkeys(_UNETS, r"lora_.*") | {"flux": r"lora_te[12]_.*"},
        dict.fromkeys(("sd1", "sd2", "flux"), _NOT_KOHYA) | {"sdxl": rf"{_NOT_KOHYA}|lora_unet_label_emb_.*"},
        dict.fromkeys(("sdxl", "flux"), _TEXT),
    ),
)


def layers_of(tensors: Iterable[str]) -> set[str]:
    """The layers of a file, from the names of its tensors."""
    found = (re.fullmatch(r"(.*)\.(?:lora_up\.weight|lora_B\.weight|(rows))", key) for key in tensors)
    return {f"{match[1]}.rows" if match[2] else match[1] for match in found if match}


def taken(program: str, family: str, tensors: Iterable[str]) -> set[str]:
    """The layers that a program takes of a file for a family."""
    return next(each for each in READERS if each.name == program).taken(family, layers_of(tensors))


def losses(family: str, tensors: Iterable[str]) -> list[str]:
    """A line for each program that leaves layers of a file out, with what to do; one for all that do not know it."""
    layers, lines = layers_of(tensors), []
    for reader in (each for each in READERS if each.knows(family)):
        found = len(reader.taken(family, layers))
        if found < len(layers):
            share = f"{found or 'none'} of {len(layers)}"
            lines.append(f"{reader.name} takes {share} layers, so the concept may come back{_advice(reader, family)}.")
    strangers = [reader.name for reader in READERS if not reader.knows(family)]
    return [*lines, *([f"It is not made for {', '.join(strangers)}, which take none of it."] if strangers else [])]


def _advice(reader: Reader, family: str) -> str:
    """What to solve with so that a program takes all of a file."""
    where = reader.where.get(family, reader.where.get(ALL))
    if where == "":
        return ""
    return ": solve with own_tokens off" + (f" and {where}" if where else "")
