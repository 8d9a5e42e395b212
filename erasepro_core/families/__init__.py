"""The model families that the pack knows, and how to find a model's own."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, EncoderBlock, Family, TextInput, names_of
from .flux import Flux
from .hunyuan_dit import HunyuanDiT
from .lumina2 import Lumina2, ZImage
from .pixart import PixArt
from .qwen_image import QwenImage
from .sd1 import SD1
from .sd2 import SD2
from .sd3 import SD3
from .sdxl import SDXL, SDXLRefiner
from .wan import Wan

__all__ = ["FAMILIES", "POOLED", "Encoder", "EncoderBlock", "Family", "FamilyError", "TextInput", "family_of"]

FAMILIES: tuple[Family, ...] = (
    SD1(),
    SD2(),
    SDXL(),
    SDXLRefiner(),
    SD3(),
    Flux(),
    PixArt(),
    HunyuanDiT(),
    Lumina2(),
    ZImage(),
    QwenImage(),
    Wan(),
)


class FamilyError(ValueError):
    """A model that no family recognises, or a text encoder that does not belong to the diffusion model."""


def family_of(text_encoder: Collection[str], diffusion_model: Collection[str]) -> Family:
    """The family of a model, from the names of its weights.

    Raises:
        FamilyError: none recognises the diffusion model, or its text encoders are not those in the CLIP; the message
            names what was found on either side.
    """
    candidates = [family for family in FAMILIES if family.is_model(diffusion_model)]
    if not candidates:
        raise FamilyError(
            f"this MODEL is of no family that ErasePro knows ({', '.join(f.title for f in FAMILIES)}): "
            f"it has {_roots(diffusion_model)}. Nothing was changed."
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
