"""The text path of a diffusers pipeline of Stable Diffusion 1's shape, known by the names of its modules alone.

docs/library.md shows how it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .align import POOLED_ROW, TokenRow
from .capture import edited
from .families import Encoder, FamilyError, TextInput, family_of
from .path import Features, Rows
from .sketch import changed, fingerprint
from .update import LowRankUpdate, RowUpdate, Update, UpdateSet

_TEXT, _UNET = "clip_l.transformer.text_model.", "diffusion_model."
_BLOCK = re.compile(r"(?:(down|up)_blocks\.(\d+)|mid_block)\.attentions\.(\d+)")


class PipelinePath:
    """The text path of a pipeline, with an erasure or without; erasepro_core.path.TextPath says what each method does.

    No weight is written to: an erasure is added to the outputs of layers while something runs.

    Args:
        pipeline: a StableDiffusionPipeline, or another one with the tokenizer, text encoder and UNet of such a one.
        updates: of an erasure; None for the original model.

    Raises:
        FamilyError: the pipeline is of another shape, or adapters are attached to it.
    """

    def __init__(self, pipeline: Any, updates: UpdateSet | None = None):
        _refuse_other_shapes(pipeline)
        self._tokenizer, self._encoder = pipeline.tokenizer, pipeline.text_encoder
        text = getattr(self._encoder, "text_model", self._encoder)
        depth = pipeline.unet.config.layers_per_block
        self._modules = {f"{_TEXT}{name}": module for name, module in text.named_modules() if name}
        layers = pipeline.unet.named_modules()
        self._modules |= {f"{_UNET}{_own_name(name, depth)}": module for name, module in layers if name}
        weights = [f"{name}.weight" for name in self._modules]
        text_keys, model_keys = (
            [key for key in weights if key.startswith(prefix)] for prefix in (_TEXT, _UNET)
        )  # fmt: skip
        self.family = family_of(text_keys, model_keys)
        self.encoders: Sequence[Encoder] = self.family.encoders(text_keys)
        self.inputs: Sequence[TextInput] = self.family.inputs(text_keys, model_keys)
        self._updates: Mapping[str, Update] = {}
        if updates is not None:
            self._updates = {**updates.text_encoder, **updates.diffusion_model}
        self._refuse_adapters()
        self._refuse_other_layers(updates)

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        (encoder,) = self.encoders
        return [{encoder.name: self._row(prompt), encoder.pooled: POOLED_ROW} for prompt in prompts]

    @torch.no_grad()
    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        (encoder,), (text_input,) = self.encoders, self.inputs
        read = [row[encoder.name] for row in rows]
        length = max(row.read(behind) for row, behind in zip(read, padding or [None] * len(rows), strict=True))
        ids = torch.tensor([row.ids[:length] for row in read], device=self._table(encoder).device)
        with self.active():
            return {text_input.name: self._encoder(ids)[0].float()}

    def embeddings(self, encoder: Encoder, tokens: Sequence[int]) -> Tensor:
        rows, update = self._table(encoder)[list(tokens)].float(), self._updates.get(str(encoder.table))
        return rows + _added(update, torch.tensor(tokens, device=rows.device), rows) if update else rows

    def words(self, tokens: Mapping[str, Sequence[int]]) -> list[str]:
        said = self._tokenizer.convert_ids_to_tokens([token for each in tokens.values() for token in each])
        return list(dict.fromkeys(token.replace("</w>", "") for token in said))

    def table_size(self, encoder: Encoder) -> tuple[int, int]:
        rows, width = self._table(encoder).shape
        return rows, width

    def make_room(self, size: int) -> bool:
        device = self._table(self.encoders[0]).device
        return device.type != "cuda" or torch.cuda.mem_get_info(device)[0] >= size

    def module(self, name: str) -> nn.Module:
        return self._modules[name]

    def conditioned(self, text_input: TextInput) -> Iterator[tuple[str, Tensor]]:
        for name in text_input.layers:
            weight, update = self._weight(name).float(), self._updates.get(name)
            yield name, weight + update.left.to(weight) @ update.right.to(weight) if update else weight

    @contextmanager
    def active(self) -> Iterator[None]:
        """The pipeline carries the erasure for the time of the block: encode prompts and draw pictures in it."""
        updates = {self.module(name): _as_output(update, self._weight(name)) for name, update in self._updates.items()}
        with edited(updates, first=True):
            yield

    def fingerprints(self, updates: UpdateSet) -> dict[str, tuple[float, ...]]:
        """Of the weights that an erasure changes, for the report and the file."""
        both = {**updates.text_encoder, **updates.diffusion_model}
        return {name: fingerprint(changed(self._weight(name), update)) for name, update in both.items()}

    def _row(self, prompt: str) -> TokenRow:
        length = self._tokenizer.model_max_length
        ids = self._tokenizer(prompt, padding="max_length", max_length=length).input_ids
        if len(ids) > length:
            raise ValueError(
                f"{prompt!r} has {len(ids) - 2} tokens; a concept and its sentence must fit into {length - 2}. Shorten "
                "the name, its alias, its anchor or your sentence."
            )
        return TokenRow(tuple(ids), 1, ids.index(self._tokenizer.eos_token_id), 1, (1.0,) * len(ids))

    def _table(self, encoder: Encoder) -> Tensor:
        return self._weight(str(encoder.table))

    def _weight(self, name: str) -> Tensor:
        return self.module(name).get_parameter("weight").detach()

    def _refuse_adapters(self) -> None:
        """Raises FamilyError if a layer is more than its weight."""
        linears = [name for text_input in self.inputs for name in text_input.layers]
        linears += [name for e in self.encoders for block in e.blocks for name in (*block.qkv, block.output)]
        if others := [name for name in linears if type(self.module(name)) is not nn.Linear]:
            kind = type(self.module(others[0])).__name__
            raise FamilyError(
                f"{len(others)} layers of this pipeline are not plain linears (the first is {others[0]}, a {kind}). "
                "Fuse a LoRA before: pipe.fuse_lora(), then pipe.unload_lora_weights(). Quantised weights are not read."
            )

    def _refuse_other_layers(self, updates: UpdateSet | None) -> None:
        """Raises FamilyError if an erasure belongs to another model."""
        misfits = [name for name, update in self._updates.items() if not self._fits(name, update)]
        if updates is not None and (misfits or updates.family != self.family.name):
            raise FamilyError(
                f"{len(misfits)} of {len(self._updates)} layers of this erasure do not fit this pipeline. It was made "
                f"for {updates.family}; this is {self.family.name}. Solve again on this pipeline."
            )

    def _fits(self, name: str, update: Update) -> bool:
        height = update.height if isinstance(update, RowUpdate) else len(update.left)
        return name in self._modules and self._weight(name).shape == (height, update.right.shape[1])


def _refuse_other_shapes(pipeline: Any) -> None:
    """Raises FamilyError for a pipeline that is not of Stable Diffusion 1's shape."""
    kind = type(pipeline).__name__
    if any(getattr(pipeline, part, None) is None for part in ("tokenizer", "text_encoder", "unet")):
        seen = "lacks a tokenizer, a text encoder or a UNet"
    elif getattr(pipeline, "text_encoder_2", None) is not None:
        seen = "has two text encoders"
    elif pipeline.unet.config.use_linear_projection or not isinstance(pipeline.unet.config.layers_per_block, int):
        seen = "has a UNet as Stable Diffusion 2 or XL has it"
    else:
        return
    raise FamilyError(
        f"this {kind} {seen}; a pipeline of Stable Diffusion 1's shape is expected. For other models solve in ComfyUI, "
        "and load the file in diffusers as a LoRA."
    )


def _own_name(name: str, depth: int) -> str:
    """What the UNet's authors call a module that diffusers names by its blocks.

    Args:
        name: in diffusers.
        depth: how many residual blocks a level has; one more on the way up.
    """

    def block(match: re.Match[str]) -> str:
        if match[1] is None:
            return "middle_block.1"
        place = (depth + 1) * int(match[2]) + int(match[3])
        return f"input_blocks.{1 + place}.1" if match[1] == "down" else f"output_blocks.{place}.1"

    return _BLOCK.sub(block, name)


def _as_output(update: Update, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """What an update of a weight adds to its layer's output, from the layer's input."""
    if isinstance(update, LowRankUpdate):
        return update
    return lambda ids: _added(update, ids, weight)


def _added(update: Update, ids: Tensor, like: Tensor) -> Tensor:
    """What a token table's update adds to the embeddings of some tokens, `[..., d]`."""
    if not isinstance(update, RowUpdate):
        raise TypeError(f"a token table takes an update of its rows, not a {type(update).__name__}")
    same = ids[..., None] == update.rows.to(ids.device)
    return same.to(like) @ update.right.to(same.device, like.dtype)
