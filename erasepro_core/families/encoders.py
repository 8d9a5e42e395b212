"""The sorts of text encoder that the families are made of, told by the names of their weights."""

from __future__ import annotations

import re
from collections.abc import Collection

from .base import Encoder, EncoderBlock


def clip_encoder(keys: Collection[str], name: str, *, padding: bool = True, sampled: bool = False) -> Encoder:
    """A CLIP: causal, a table of positions, pre-norm blocks."""
    return Encoder(
        name,
        name.removeprefix("clip_"),
        _blocks(
            keys,
            f"{name}.transformer.text_model.encoder.layers",
            readers=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            writer="mlp.fc2",
            stream="layer_norm2",
        ),
        absolute=True,
        padding=padding,
        sampled=sampled,
    )


def t5_encoder(keys: Collection[str], name: str, *, padding: bool = True) -> Encoder:
    """A T5, mT5 or umT5: every token sees every other, positions are distances, no bias."""
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            f"{name}.transformer.encoder.block",
            readers=("layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v"),
            writer="layer.1.DenseReluDense.wo",
            stream="layer.1.layer_norm",
        ),
        padding=padding,
        causal=False,
    )


def bert_encoder(keys: Collection[str], name: str, *, padding: bool = True) -> Encoder:
    """A BERT: every token sees every other, a table of positions, and the norm behind the sum."""
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            f"{name}.transformer.bert.encoder.layer",
            readers=("attention.self.query", "attention.self.key", "attention.self.value"),
            writer="output.dense",
            stream="intermediate",
        ),
        absolute=True,
        padding=padding,
        causal=False,
    )


def llm_encoder(keys: Collection[str], name: str) -> Encoder:
    """A language model: causal, rotary positions, no padding.

    Gemma has a norm between a block's last linear and the residual stream.
    """
    layers = f"{name}.transformer.model.layers"
    normed = f"{layers}.0.post_feedforward_layernorm.weight" in keys
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            layers,
            readers=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            writer="mlp.down_proj",
            stream=None if normed else "post_attention_layernorm",
        ),
    )


def _blocks(
    keys: Collection[str], layers: str, *, readers: tuple[str, ...], writer: str, stream: str | None
) -> tuple[EncoderBlock, ...]:
    """A block for every number under `layers` that has the writer, in their order."""
    pattern = re.compile(rf"{re.escape(layers)}\.(\d+)\.{re.escape(writer)}\.weight")
    numbers = sorted(int(found[1]) for key in keys if (found := pattern.fullmatch(key)))
    return tuple(
        EncoderBlock(
            readers=tuple(f"{layers}.{n}.{reader}" for reader in readers),
            writer=f"{layers}.{n}.{writer}",
            stream=stream and f"{layers}.{n}.{stream}",
        )
        for n in numbers
    )
