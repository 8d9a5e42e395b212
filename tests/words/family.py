"""The families of the models with pretrained encoders, which the pack itself does not know.

>>> with known():
...     erasepro_core.family_of(clip_keys, unet_keys).name
'words'
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterator

from erasepro_core.families import FAMILIES, Encoder
from erasepro_core.families.encoders import bert_encoder
from erasepro_core.families.lumina2 import Lumina2
from erasepro_core.families.unet import UNetFamily, reads_pooled


class Words(UNetFamily):
    """The family that a model is in when one BERT alone speaks to `attn2` of a UNet."""

    name = "words"
    title = "Model of Real Words"
    encoder_names = ("minilm",)
    lora_prefixes = ("lora_te",)

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        return super().is_model(diffusion_model) and not reads_pooled(diffusion_model)

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        # Behind the end token everything is zero, and zeros say nothing to the cross-attention.
        return [bert_encoder(text_encoder, "minilm", padding=False)]


class Causal(Lumina2):
    """The family that Z-Image's diffusion model is in with SmolLM2 in front of it (tests/causal)."""

    name = "causal"
    title = "Model of a Causal Encoder"
    encoder_names = ("smollm2",)


@contextlib.contextmanager
def known() -> Iterator[None]:
    """Lets the core know the families, in every module that holds the list of them."""
    holders = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "erasepro_core" and getattr(module, "FAMILIES", None) is FAMILIES
    ]
    extended = (*FAMILIES, Words(), Causal())
    for module in holders:
        module.FAMILIES = extended  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        for module in holders:
            module.FAMILIES = FAMILIES  # pyright: ignore[reportAttributeAccessIssue]
