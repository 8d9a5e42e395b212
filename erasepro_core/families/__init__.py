"""The model families that the pack knows, and how to find a model's own."""

from __future__ import annotations

from collections.abc import Collection

from .aura_flow import AuraFlow
from .base import POOLED, Encoder, EncoderBlock, Family, TextInput, names_of
from .chroma import Chroma
from .cosmos import Cosmos, CosmosPredict2
from .flux import Flux
from .flux2 import Flux2, Flux2Klein4B, Flux2Klein9B
from .hidream import HiDream
from .hunyuan_dit import HunyuanDiT
from .hunyuan_video import HunyuanImage21, HunyuanVideo, HunyuanVideo15
from .ltxv import LTXV
from .lumina2 import Lumina2, ZImage
from .mochi import Mochi
from .omnigen2 import OmniGen2
from .pixart import PixArt
from .qwen_image import QwenImage
from .refused import REFUSED, Refused
from .sd1 import SD1
from .sd2 import SD2
from .sd3 import SD3
from .sdxl import SDXL, SDXLRefiner
from .stable_cascade import StableCascade, StableCascadeB
from .wan import Wan

__all__ = [
    "FAMILIES",
    "POOLED",
    "REFUSED",
    "Encoder",
    "EncoderBlock",
    "Family",
    "FamilyError",
    "Refused",
    "TextInput",
    "family_of",
]

FAMILIES: tuple[Family, ...] = (
    SD1(),
    SD2(),
    SDXL(),
    SDXLRefiner(),
    StableCascade(),
    StableCascadeB(),
    SD3(),
    Flux(),
    Flux2(),
    Flux2Klein4B(),
    Flux2Klein9B(),
    Chroma(),
    PixArt(),
    AuraFlow(),
    HunyuanDiT(),
    HunyuanImage21(),
    HiDream(),
    Lumina2(),
    ZImage(),
    QwenImage(),
    OmniGen2(),
    Wan(),
    HunyuanVideo(),
    HunyuanVideo15(),
    LTXV(),
    Mochi(),
    Cosmos(),
    CosmosPredict2(),
)


class FamilyError(ValueError):
    """A model that no family recognises, or a text encoder that does not belong to the diffusion model."""


def family_of(text_encoder: Collection[str], diffusion_model: Collection[str]) -> Family:
    """The family of a model, from the names of its weights.

    Raises:
        FamilyError: none recognises the diffusion model, or its text encoders are not those in the CLIP; the message
            names what was found on either side, and the families there are.
    """
    candidates = [family for family in FAMILIES if family.is_model(diffusion_model)]
    refused = next((other for other in REFUSED if other.is_model(diffusion_model)), None)
    if refused or not candidates:
        raise FamilyError(
            f"{_not_known(refused, diffusion_model)}. ErasePro knows {', '.join(f.title for f in FAMILIES)}. "
            "Connect one of these. Nothing was changed."
        )
    found = names_of(text_encoder)
    for family in candidates:
        if _fits(family, found):
            return family
    wanted = "; or ".join(f"{family.title} with {_spoken(family)}" for family in candidates)
    raise FamilyError(
        f"this CLIP does not belong to this MODEL. The MODEL can be {wanted}. "
        f"The CLIP has {', '.join(sorted(found)) or 'no text encoder'}. Connect MODEL and CLIP of one checkpoint."
    )


def _not_known(refused: Refused | None, diffusion_model: Collection[str]) -> str:
    """Why there is no family for a model."""
    if refused:
        return f"this MODEL is {refused.title}: {refused.reason}"
    return f"this MODEL is of no family that ErasePro knows: it has {_roots(diffusion_model)}"


def _fits(family: Family, found: set[str]) -> bool:
    """Whether the encoders are the family's, but for those that may be absent."""
    known, must = set(family.encoder_names), set(family.encoder_names) - set(family.optional)
    return bool(found) and must <= found <= known


def _spoken(family: Family) -> str:
    """The encoders of a family, in words."""
    return " and ".join(f"{name} (or without)" if name in family.optional else name for name in family.encoder_names)


def _roots(keys: Collection[str]) -> str:
    """The first parts of the names: enough to tell a model by."""
    roots = sorted({".".join(key.split(".")[:2]) for key in keys})
    return ", ".join(roots[:6]) + (", ..." if len(roots) > 6 else "") if roots else "no weights"
