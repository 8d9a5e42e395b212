"""The kinds of text encoder that the families use, recognised by the names of their weights."""

from __future__ import annotations

import re
from collections.abc import Collection

from .base import Encoder, EncoderBlock

_TABLES = (".embeddings.token_embedding", ".shared", ".embeddings.word_embeddings", ".embed_tokens")


def clip_encoder(keys: Collection[str], name: str, *, padding: bool = True, sampled: bool = False) -> Encoder:
    """A CLIP: causal, a table of positions, pre-norm blocks."""
    return Encoder(
        name,
        name.removeprefix("clip_"),
        _blocks(
            keys,
            f"{name}.transformer.text_model.encoder.layers",
            qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            output="mlp.fc2",
            stream="layer_norm2",
        ),
        absolute=True,
        padding=padding,
        sampled=sampled,
        table=_table(keys, f"{name}.transformer.text_model.embeddings.token_embedding"),
    )


def t5_encoder(keys: Collection[str], name: str, *, padding: bool = True) -> Encoder:
    """A T5, mT5 or umT5: every token sees every other, positions are distances, no bias."""
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            f"{name}.transformer.encoder.block",
            qkv=("layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v"),
            output="layer.1.DenseReluDense.wo",
            stream="layer.1.layer_norm",
        ),
        padding=padding,
        causal=False,
        table=_table(keys, f"{name}.transformer.shared"),
    )


def bert_encoder(keys: Collection[str], name: str, *, padding: bool = True) -> Encoder:
    """A BERT: every token sees every other, a table of positions, and the norm behind the sum."""
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            f"{name}.transformer.bert.encoder.layer",
            qkv=("attention.self.query", "attention.self.key", "attention.self.value"),
            output="output.dense",
            stream="intermediate",
        ),
        absolute=True,
        padding=padding,
        causal=False,
        table=_table(keys, f"{name}.transformer.bert.embeddings.word_embeddings"),
    )


def llm_encoder(keys: Collection[str], name: str) -> Encoder:
    """A language model: causal, rotary positions.

    Gemma has a norm between a block's last linear and the residual stream. Some hosts merge queries, keys and values.
    """
    layers = f"{name}.transformer.model.layers"
    merged = f"{layers}.0.self_attn.qkv_proj.weight" in keys
    apart = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    normed = f"{layers}.0.post_feedforward_layernorm.weight" in keys
    return Encoder(
        name,
        name,
        _blocks(
            keys,
            layers,
            qkv=("self_attn.qkv_proj",) if merged else apart,
            output="mlp.down_proj",
            stream=None if normed else "post_attention_layernorm",
        ),
        table=_table(keys, f"{name}.transformer.model.embed_tokens"),
    )


def is_table(layer: str) -> bool:
    """Whether a layer of a text encoder is a table of token embeddings."""
    return layer.endswith(_TABLES)


def _table(keys: Collection[str], layer: str) -> str | None:
    """The layer, if it is there."""
    return layer if f"{layer}.weight" in keys else None


def _blocks(
    keys: Collection[str], layers: str, *, qkv: tuple[str, ...], output: str, stream: str | None
) -> tuple[EncoderBlock, ...]:
    """A block for every number under `layers` that has the last linear, in their order."""
    pattern = re.compile(rf"{re.escape(layers)}\.(\d+)\.{re.escape(output)}\.weight")
    numbers = sorted(int(found[1]) for key in keys if (found := pattern.fullmatch(key)))
    return tuple(
        EncoderBlock(
            qkv=tuple(f"{layers}.{n}.{name}" for name in qkv),
            output=f"{layers}.{n}.{output}",
            stream=stream and f"{layers}.{n}.{stream}",
        )
        for n in numbers
    )
