"""HiDream-I1: pooled vectors of two CLIPs, a T5, and every hidden state of a Llama, each through its own linear."""

from __future__ import annotations

from collections.abc import Collection

from .base import POOLED, Encoder, Family, TextInput, names_of, numbered
from .encoders import clip_encoder, llm_encoder, t5_encoder

_POOLED = "diffusion_model.p_embedder.pooled_embedder.linear_1"
_WIDTHS = {"clip_l": 768, "clip_g": 1280}
"""Zeros that the host has instead of a CLIP that was not loaded."""


class HiDream(Family):
    """Any encoder may be absent; the host then has zeros in its place.

    The last projection reads the T5. Of the others, one for each block of the model, the first ones read the states
    behind the blocks of Llama one by one, and the rest its last state.
    """

    name = "hidream"
    title = "HiDream-I1 and E1"
    encoder_names = ("clip_l", "clip_g", "t5xxl", "llama")
    optional = encoder_names
    reads = ("caption_projection.linear", "p_embedder.pooled_embedder.linear_1")
    file_names = (("diffusion_model.", "transformer."),)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return bool(_projections(diffusion_model)) and f"{_POOLED}.weight" in diffusion_model

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        found = names_of(text_encoder)
        encoders = [clip_encoder(text_encoder, name, padding=False) for name in _WIDTHS if name in found]
        encoders += [t5_encoder(text_encoder, "t5xxl")] if "t5xxl" in found else []
        return encoders + ([llm_encoder(text_encoder, "llama")] if "llama" in found else [])

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        *each, last = _projections(diffusion_model)
        found, inputs = names_of(text_encoder), []
        if found & set(_WIDTHS):
            parts = tuple(name + POOLED if name in found else width for name, width in _WIDTHS.items())
            inputs.append(TextInput("pooled", parts, (_POOLED,)))
        if "t5xxl" in found:
            inputs.append(TextInput("context_t5", ("t5xxl",), (last,)))
        states = len(llm_encoder(text_encoder, "llama").blocks)
        for state in range(1, states + 1):  # state 0 is what goes into the first block, which nothing reads
            layers = tuple(each[state - 1 :] if state == states else each[state - 1 : state])
            inputs += [TextInput(f"context_{state}", ("llama",), layers, state=state)] if layers else []
        return inputs


def _projections(diffusion_model: Collection[str]) -> tuple[str, ...]:
    return numbered(diffusion_model, r"caption_projection\.(\d+)\.linear")
