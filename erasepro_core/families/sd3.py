"""Stable Diffusion 3 and 3.5: two CLIPs and a T5 one after the other, and the pooled vectors of both CLIPs."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, Family, TextInput, names_of
from .encoders import clip_encoder, t5_encoder

_CONTEXT = "diffusion_model.context_embedder"
_POOLED = "diffusion_model.y_embedder.mlp.0"
_WIDTHS = {"clip_l": 768, "clip_g": 1280}
"""Zeros that the host has instead of a CLIP that was not loaded."""


class SD3(Family):
    """Any of the three encoders may be absent; the host then has zeros, or nothing, in its place."""

    name = "sd3"
    title = "Stable Diffusion 3 and 3.5"
    encoder_names = ("clip_l", "clip_g", "t5xxl")
    optional = encoder_names
    reads = ("context_embedder", "y_embedder.mlp.0")
    file_names = (
        (_CONTEXT, "transformer.context_embedder"),
        (_POOLED, "transformer.time_text_embed.text_embedder.linear_1"),
    )

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        processed = any(key.startswith("diffusion_model.context_processor.") for key in diffusion_model)
        return f"{_CONTEXT}.weight" in diffusion_model and f"{_POOLED}.weight" in diffusion_model and not processed

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        found = names_of(text_encoder)
        clips = [clip_encoder(text_encoder, name) for name in _WIDTHS if name in found]
        return clips + ([t5_encoder(text_encoder, "t5xxl")] if "t5xxl" in found else [])

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        found = names_of(text_encoder)
        inputs = []
        if found & set(_WIDTHS):
            sides: tuple[str | int, ...] = tuple(n if n in found else width for n, width in _WIDTHS.items())
            pooled = tuple(f"{side}{POOLED}" if isinstance(side, str) else side for side in sides)
            inputs += [
                TextInput("context", sides, (_CONTEXT,), filled=True),
                TextInput("pooled", pooled, (_POOLED,)),
            ]
        if "t5xxl" in found:
            inputs.append(TextInput("context_t5", ("t5xxl",), (_CONTEXT,)))
        return inputs
