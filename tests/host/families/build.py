"""What the tiny models of every family are built from: narrow configs, seeded random weights, the host's tokenizers.

Tokenizers are the host's. Those that come inside a checkpoint (Gemma, mT5, umT5, Mistral) are small real ones.
"""

from __future__ import annotations

import dataclasses
import functools
import io
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.text_encoders.flux
import torch
from comfy.supported_models_base import BASE, ClipTarget
from torch import Tensor, nn

from erasepro_core.concept import KINDS
from erasepro_core.neutral import FIT_PROMPTS, PROBE_PROMPTS
from tests.host.random_weights import diffusion, fill

Built = tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]

L, G, T5, LLM = 256, 256, 96, 96
"""Widths of CLIP-L, the larger CLIPs, T5 and language models. CLIPs are more than three times as wide as 77 tokens."""
SIZES = 6 * 256
"""What SDXL adds to its pooled vector."""


def clip_config(width: int, layers: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * width,
    }


def t5_config(width: int = T5) -> dict[str, int]:
    return {"d_model": width, "d_ff": 128, "d_kv": 16, "num_heads": 4, "num_layers": 3}


LLM_CONFIG = {
    "hidden_size": LLM,
    "intermediate_size": 2 * LLM,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def if_asked(params: Any, **settings: object) -> dict[str, object]:
    """Those of a model's settings that the host's dataclass for them has: newer hosts ask for more than 0.3.75."""
    asked = {field.name for field in dataclasses.fields(params)}
    return {name: value for name, value in settings.items() if name in asked}


UNET = {
    "image_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "use_temporal_attention": False,
    "num_heads": 4,
    "num_head_channels": -1,
    "adm_in_channels": None,
}


def unet(model: type[BASE], width: int, **more: object) -> comfy.model_patcher.ModelPatcher:
    return diffusion(model, UNET | {"context_dim": width, **more})


def text(target: ClipTarget, data: dict | None = None, **configs: dict) -> comfy.sd.CLIP:
    """A CLIP in float32 with random weights."""
    options = {f"{name}_model_config": config for name, config in configs.items()}
    clip = comfy.sd.CLIP(target, tokenizer_data=data or {}, model_options=options | {"dtype": torch.float32})
    fill(clip.cond_stage_model)
    return clip


SHORT = {"t5xxl_min_length": 60}
"""Less padding than the 77 to 512 tokens of the real tokenizers."""
VOCABULARY = 420


@functools.cache
def pieces(bos: int, eos: int, unk: int) -> Tensor:
    """A sentencepiece model of the pack's own sentences, with the given numbers for special pieces."""
    import sentencepiece

    lines = [*FIT_PROMPTS, *PROBE_PROMPTS, *(t for kind in KINDS for t in (*kind.templates, *kind.unseen))]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, "a circle , a square , a triangle , a star , a disc"]),
        model_writer=written,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=bos,
        eos_id=eos,
        unk_id=unk,
        minloglevel=2,
    )
    return torch.tensor(list(written.getvalue()), dtype=torch.uint8)


def mistral_tokenizer() -> Any:
    """Trains Flux.2's tokenizer on the pack's own sentences while a model is built.

    The host's own way to one, from the file inside a checkpoint, needs an older transformers than the tests have.
    """
    import unittest.mock

    return unittest.mock.patch.object(comfy.text_encoders.flux, "load_mistral_tokenizer", _trained)


FLUX2_TEMPLATE = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing on object "
    "relationships, object\nattribution and actions without speculation."
)
"""What the host puts before each prompt; its words are tokens of their own, as in the real tokenizer."""


def _trained(data: None) -> dict[str, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([*FIT_PROMPTS, *PROBE_PROMPTS, *[FLUX2_TEMPLATE] * 9], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return {"tokenizer_object": tokenizer, "legacy": False}


def without_eyes() -> Any:
    """Leaves the vision tower of a language model out while it is built."""
    import unittest.mock

    from comfy.text_encoders import qwen_vl

    return unittest.mock.patch.object(qwen_vl, "Qwen2VLVisionTransformer", lambda **_: nn.Identity())
