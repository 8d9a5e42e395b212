"""The model families that the pack knows, and how to find a model's own."""

from __future__ import annotations

from collections.abc import Collection

from .base import EncoderBlock, Family
from .sd1 import SD1

__all__ = ["FAMILIES", "EncoderBlock", "Family", "FamilyError", "family_of"]

FAMILIES: tuple[Family, ...] = (SD1(),)


class FamilyError(ValueError):
    """A model that no family recognises, or a text encoder that does not belong to the diffusion model."""


def family_of(text_encoder: Collection[str], diffusion_model: Collection[str]) -> Family:
    """The family of a model, from the names of its weights.

    Raises:
        FamilyError: none recognises the two together; the message says what was found on either side.
    """
    for family in FAMILIES:
        if family.recognises(text_encoder, diffusion_model):
            return family
    raise FamilyError(
        f"this MODEL and CLIP are of no family that ErasePro knows ({', '.join(f.name for f in FAMILIES)}). "
        f"The text encoder has {_roots(text_encoder)}; the diffusion model has {_roots(diffusion_model)}. "
        "Connect MODEL and CLIP of one checkpoint of a known family."
    )


def _roots(keys: Collection[str]) -> str:
    """The first parts of the names: enough to tell a model by."""
    roots = sorted({".".join(key.split(".")[:2]) for key in keys})
    return ", ".join(roots[:6]) + (", ..." if len(roots) > 6 else "") if roots else "no weights"
