"""What the core needs to know of a model family: names only, no modules, no weights."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

MULTILINGUAL = "qwen", "llama", "gemma", "mistral", "umt5", "mt5"
"""How the names of text encoders start that read Chinese, Japanese and Thai. CLIP and T5 read English."""
POOLED = ".pooled"
"""Ends the name of a pooled vector: the one vector that an encoder makes of a whole prompt."""


@dataclass(frozen=True)
class EncoderBlock:
    """One block of a text encoder, by module names."""

    qkv: tuple[str, ...]
    """The linears of its attention that make queries, keys and values."""
    output: str
    """Its last linear, which writes to the residual stream."""
    stream: str | None
    """The module whose input is the residual stream that `output` is added to; None where a norm stands between the
    two, so that only the linear's own output can be brought to the anchor's."""


@dataclass(frozen=True)
class Encoder:
    """One text encoder of a CLIP."""

    name: str
    """Its module in the CLIP."""
    tokens: str
    """The name under which the host's tokenizer gives its tokens."""
    blocks: tuple[EncoderBlock, ...]
    """In execution order."""
    absolute: bool = False
    """Whether a token's position is part of its feature, so that target and anchor must stand at the same one."""
    padding: bool = True
    """Whether anything reads what stands behind the end token."""
    causal: bool = True
    """Whether a token depends on those before it alone. Else nothing of a row stays unless all of it does."""
    table: str | None = None
    """Its table of token embeddings; None where it has none that is its own."""
    sampled: bool = False
    """Whether, if it is narrow, a few padding tokens of the empty prompt stand for all of them (decision 0010)."""

    @property
    def pooled(self) -> str:
        """Name of its pooled vector."""
        return self.name + POOLED


@dataclass(frozen=True)
class TextInput:
    """One way by which text enters the diffusion model, and the linears that read it."""

    name: str
    parts: tuple[str | int, ...]
    """Whose features stand side by side in it: names of encoders or of their pooled vectors, or a number of zeros where
    the host has them instead of an encoder that is not there. All parts have the same tokens."""
    layers: tuple[str, ...]
    """Linears of the diffusion model, in execution order. Inputs with the same layers are solved together."""
    norm: str | None = None
    """The norm of the diffusion model that the features go through before the layers."""
    filled: bool = False
    """Whether the layers read more than the text: zeros, or sizes behind a pooled vector."""
    edited: bool = True
    """Whether the layers may change; False where they read something else too, and are measured only."""
    state: int | None = None
    """Which of an encoder's hidden states it is, where the encoder gives several; None for all of them side by side."""

    @property
    def source(self) -> str:
        """The part whose tokens stand for all."""
        return next(part for part in self.parts if isinstance(part, str))


class Family:
    """A model family: how to recognise it, and through which modules text goes. Each family is a subclass."""

    name: ClassVar[str]
    """Short, and kept forever: files carry it."""
    title: ClassVar[str]
    """As artists know it."""
    encoder_names: ClassVar[tuple[str, ...]]
    """The text encoders that its models use, by their names in the CLIP."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Those of them that may be absent."""
    long_prompts: ClassVar[bool] = False
    """Whether every encoder reads prompts of more than 77 tokens, so that long sentences fit."""
    reads: ClassVar[tuple[str, ...]]
    """The layers of the diffusion model that an erasure changes, for people to read."""
    leaves: ClassVar[str] = ""
    """What else reads the prompt and is left as it is, in a few words with the reason."""

    file_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """What a LoRA file calls layers that other programs have names of their own for, by the start of a layer's name.

    ComfyUI knows these names too (docs/format.md, "Other programs").
    """

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages beside English in which prompts say something to one of its text encoders."""
        return ("zh", "ja", "th") if any(name.startswith(MULTILINGUAL) for name in self.encoder_names) else ()

    def is_model(self, diffusion_model: Collection[str]) -> bool:
        """Whether a diffusion model, given by the names of its weights, is of this family."""
        raise NotImplementedError

    def encoders(self, text_encoder: Collection[str]) -> list[Encoder]:
        """The text encoders that are there, with all their blocks."""
        raise NotImplementedError

    def inputs(self, text_encoder: Collection[str], diffusion_model: Collection[str]) -> list[TextInput]:
        """The ways by which text enters the diffusion model."""
        raise NotImplementedError

    def lora_name(self, side: str, name: str) -> str:
        """What a LoRA file calls a layer: what stands before the names of its factors, as most programs read it.

        Args:
            side: `text_encoder` or `diffusion_model`.
            name: the layer's name on that side.
        """
        for start, other in self.file_names:
            if name.startswith(start):
                rest = name.removeprefix(start)
                return other + (rest.replace(".", "_") if other.startswith("lora_") else rest)
        return self.general_name(side, name)

    def general_name(self, side: str, name: str) -> str:
        """The name that ComfyUI understands for every layer of every model; arguments as in `lora_name`."""
        return {"text_encoder": f"text_encoders.{name}", "diffusion_model": name}[side]


def names_of(text_encoder: Collection[str]) -> set[str]:
    """The encoders of a CLIP, from the names of its weights."""
    return {key.partition(".")[0] for key in text_encoder}


def has(diffusion_model: Collection[str], module: str) -> bool:
    """Whether a diffusion model has weights of a module."""
    return any(key.startswith(f"diffusion_model.{module}.") for key in diffusion_model)


def numbered(diffusion_model: Collection[str], pattern: str) -> tuple[str, ...]:
    """The linears whose names match a pattern, in the order of the numbers in them, then of their names.

    Args:
        pattern: of a name behind `diffusion_model.`; its groups are the numbers.
    """
    whole = re.compile(rf"(diffusion_model\.{pattern})\.weight")
    found = [match for key in diffusion_model if (match := whole.fullmatch(key))]
    found.sort(key=lambda match: ([int(number) for number in match.groups()[1:]], match[1]))
    return tuple(match[1] for match in found)
