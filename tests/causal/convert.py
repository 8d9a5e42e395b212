"""SmolLM2 as a folder that the host can read, from its 4-bit GGUF file: weights in float16, and the tokenizer.

`python convert.py FILE FOLDER`, run by set-up with the wheel of `gguf` on PYTHONPATH.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

NAMES = {
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3
"""The type of tokens that stand for no text, such as the marks of a chat."""


def named(name: str) -> str:
    """The host's name of a tensor of the file."""
    block, part = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", name).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return f"model.{'' if block is None else f'layers.{block}.'}{NAMES[part]}.weight"


def halves_first(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries or keys, `[heads * size, d]`, in the order of the host.

    The file has the two values that a rotation turns one behind the other, the host has all first ones before all
    second ones.
    """
    return weight.reshape(heads, -1, 2, weight.shape[-1]).swapaxes(1, 2).reshape(weight.shape)


def tokenizer(fields: dict[str, Any]) -> Tokenizer:
    """The byte-level BPE of the file; digits stand alone."""
    words = fields["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    made.decoder = decoders.ByteLevel()
    kinds = zip(words, fields["tokenizer.ggml.token_type"], strict=True)
    made.add_special_tokens([AddedToken(word, special=True) for word, kind in kinds if kind == CONTROL])
    return made


def config(fields: dict[str, Any]) -> dict[str, Any]:
    """The sizes, by the names that the host and transformers share."""
    return {
        "vocab_size": fields["llama.vocab_size"],
        "hidden_size": fields["llama.embedding_length"],
        "intermediate_size": fields["llama.feed_forward_length"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_attention_heads": fields["llama.attention.head_count"],
        "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "max_position_embeddings": fields["llama.context_length"],
        "rms_norm_eps": fields["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": fields["llama.rope.freq_base"],
    }


def convert(file: Path, folder: Path) -> None:
    """Writes config, weights and tokenizer of a GGUF file into a folder."""
    from gguf import GGUFReader, dequantize  # pyright: ignore[reportMissingImports]

    reader = GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    sizes = config(fields)
    heads = {"attn_q": sizes["num_attention_heads"], "attn_k": sizes["num_key_value_heads"]}
    weights = {}
    for tensor in reader.tensors:
        weight = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        part = tensor.name.split(".")[-2]
        weight = halves_first(weight, heads[part]) if part in heads else weight
        weights[named(tensor.name)] = weight.half().contiguous()
    save_file(weights, folder / "model.safetensors")
    tokenizer(fields).save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(sizes, indent=2) + "\n")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
