"""The text path of a live MODEL and CLIP: prompts become the features that the diffusion model reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from torch import Tensor, nn

from ...erasepro_core import Encoder, FamilyError, TextInput, family_of
from ...erasepro_core.capture import hooked
from ...erasepro_core.path import Features, Rows
from .beside import Beside, beside_the_weights
from .tokens import PromptTokenizer, padded
from .weights import effective_weight, refuse_packed

log = logging.getLogger("erasepro")


class HostPath:
    """The text path of a live MODEL and CLIP; erasepro_core.path.TextPath says what each method returns.

    Raises:
        FamilyError: the two are of no known family, or do not belong together.
        WeightError: a layer keeps its weight in a quantised form that cannot be read.
    """

    def __init__(self, model: ModelPatcher, clip: CLIP):
        self.model, self.clip = model, clip
        text_keys, model_keys = list(clip.cond_stage_model.state_dict()), list(model.model.state_dict())
        self.family = family_of(text_keys, model_keys)
        self.inputs: Sequence[TextInput] = self.family.inputs(text_keys, model_keys)
        encoders = self.family.encoders(text_keys)
        self.encoders: Sequence[Encoder] = [self._without_skipped_blocks(encoder) for encoder in encoders]
        self._tokenizer = PromptTokenizer(clip, self.encoders)
        self._refuse_packed_weights()
        self._refuse_other_widths()
        for reason in self.not_measured():
            log.warning("%s; ErasePro measures only weights and their patches.", reason)

    def not_measured(self) -> list[Beside]:
        """What can change what this model understands at sampling, and cannot be measured here."""
        conditioned = [name for text_input in self.inputs for name in text_input.layers]
        # The text encoders are measured by running them, hooks and all; what the host adds at sampling is not.
        return [
            *beside_the_weights(self.model, conditioned, "MODEL"),
            *beside_the_weights(self.clip.patcher, (), "CLIP"),
        ]

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        return [self._tokenizer.rows(prompt, emphasis) for prompt in prompts]

    def encode(self, rows: Sequence[Rows], padding: Sequence[int | None] | None = None) -> Features:
        outputs: dict[str, Tensor] = {}

        def on_output(encoder: Encoder, _: object, output: Any) -> None:
            outputs[encoder.name] = output[0]
            if output[1] is not None:
                outputs[encoder.pooled] = output[1][:, None]

        # The host splits a long prompt into rows and encodes them in one forward pass; all our rows go in that way. The
        # outputs are taken from each encoder, because the host returns the pooled vector of the first row only.
        tokens: dict[str, Any] = {key: [] for key in self.clip.tokenize("")}
        with ExitStack() as stack:
            for encoder in self.encoders:
                module, encoder_rows = self.module(encoder.name), [row[encoder.name] for row in rows]
                tokens[encoder.tokens] = padded(encoder_rows, module)
                if len({len(row.ids) for row in encoder_rows}) > 1:
                    stack.enter_context(_padding_masked(module))
                if encoder.causal and encoder.absolute:
                    read = padding or [None] * len(rows)
                    length = max(row.read(behind) for row, behind in zip(encoder_rows, read, strict=True))
                    stack.enter_context(_cut_to(module, length))
            hooks = {self.module(encoder.name): partial(on_output, encoder) for encoder in self.encoders}
            stack.enter_context(hooked(hooks, {}))
            self.clip.encode_from_tokens(tokens)
        # If words are emphasised, the host encodes one more row, and writes the emphasis into the encoder's output.
        outputs = {name: output[: len(rows)] for name, output in outputs.items()}
        return {text_input.name: self._features(text_input, outputs) for text_input in self.inputs}

    def embeddings(self, encoder: Encoder, tokens: Sequence[int]) -> Tensor:
        return effective_weight(self.clip.patcher, f"{encoder.table}.weight")[list(tokens)]

    def table_size(self, encoder: Encoder) -> tuple[int, int]:
        table = cast(Any, self.module(str(encoder.table)))
        return table.num_embeddings, table.embedding_dim

    def words(self, tokens: Mapping[str, Sequence[int]]) -> list[str]:
        return self._tokenizer.words({e.name: tokens.get(str(e.table), ()) for e in self.encoders})

    def load(self) -> None:
        """Makes the host put this CLIP's own weights in place, with its patches and no other clone's."""
        self.clip.load_model()

    def whole_words(self) -> list[str]:
        """The words that a tokenizer of this CLIP has as one token each, the commonest first."""
        return self._tokenizer.whole_words()

    def make_room(self, size: int) -> bool:
        device = self.clip.patcher.load_device
        if size == 0 or device.type == "cpu":
            return True
        self.load()
        loaded = comfy.model_management.current_loaded_models
        own = [each for each in loaded if each.model and each.model.model is self.clip.cond_stage_model]
        comfy.model_management.free_memory(size, device, keep_loaded=own)
        return cast(int, comfy.model_management.get_free_memory(device)) >= size

    def module(self, name: str) -> nn.Module:
        return self.clip.cond_stage_model.get_submodule(name)

    def conditioned(self, text_input: TextInput) -> Iterator[tuple[str, Tensor]]:
        for name in text_input.layers:
            yield name, effective_weight(self.model, f"{name}.weight")

    def _without_skipped_blocks(self, encoder: Encoder) -> Encoder:
        """The encoder without the last blocks, where clip skip or the family's default leaves them unused."""
        count = len(encoder.blocks)
        if any(encoder.pooled in text_input.parts for text_input in self.inputs):
            return encoder  # the pooled vector comes from the last block even with clip skip
        layer, index, _ = cast(Any, self.module(encoder.name)).options_default
        if isinstance(layer, list):  # several hidden states, each what goes into the block of that number
            return replace(encoder, blocks=encoder.blocks[: max(layer)])
        if self.clip.layer_idx is not None and layer != "all":
            layer, index = ("hidden" if abs(self.clip.layer_idx) <= count else "last"), self.clip.layer_idx
        if layer != "hidden":
            return encoder
        return replace(encoder, blocks=encoder.blocks[: index + 1 if index >= 0 else count + index + 1])

    def _features(self, text_input: TextInput, outputs: Mapping[str, Tensor]) -> Tensor:
        """The features that the layers of an input read, concatenated in the same order as in the host."""
        device = comfy.model_management.get_torch_device()
        like = outputs[text_input.source]
        zeros = partial(like.new_zeros, like.shape[0], like.shape[-2])
        parts = [zeros(p) if isinstance(p, int) else _tokens(outputs[p], text_input.state) for p in text_input.parts]
        features = torch.cat(parts, dim=-1).to(device, torch.float32)
        width = self._layer_width(text_input)
        features = nn.functional.pad(features, (0, width - features.shape[-1]))
        return features if text_input.norm is None else self._normed(features, text_input.norm)

    def _normed(self, features: Tensor, name: str) -> Tensor:
        """The features after an RMS norm of the diffusion model."""
        weight = effective_weight(self.model, f"{name}.weight")
        return nn.functional.rms_norm(features, weight.shape, weight, self.model.model.get_submodule(name).eps)

    def _layer_width(self, text_input: TextInput) -> int:
        """How many values of a token the layers of an input read."""
        return cast(Any, self.model.model.get_submodule(text_input.layers[0])).in_features

    def _refuse_packed_weights(self) -> None:
        """Raises WeightError for a layer of MODEL or CLIP whose weight cannot be read."""
        layers = [name for text_input in self.inputs for name in text_input.layers]
        blocks = [block for encoder in self.encoders for block in encoder.blocks]
        linears = [name for block in blocks for name in (*block.qkv, block.output)]
        sides = (self.model.model, layers, "MODEL"), (self.clip.cond_stage_model, linears, "CLIP")
        for root, names, side in sides:
            for name in names:
                refuse_packed(root.get_submodule(name), name, side)

    def _refuse_other_widths(self) -> None:
        """Raises FamilyError if the CLIP's features and the MODEL's layers have different widths."""
        widths = {e.name: cast(Any, self.module(e.blocks[0].qkv[0])).in_features for e in self.encoders}
        layers = {e.name: cast(Any, self.module(e.name)).options_default[0] for e in self.encoders}
        widths |= {name: widths[name] * len(layer) for name, layer in layers.items() if isinstance(layer, list)}
        widths |= {encoder.pooled: widths[encoder.name] for encoder in self.encoders}
        for text_input in self.inputs:
            given = sum(part if isinstance(part, int) else widths[part] for part in text_input.parts)
            read = self._layer_width(text_input)
            if given > read or (given < read and not text_input.filled):
                raise FamilyError(
                    f"this CLIP ({', '.join(e.name for e in self.encoders)}) gives features of {given} values, but "
                    f"{text_input.layers[0]} of this MODEL reads {read}. Connect MODEL and CLIP of one checkpoint, "
                    "with all of its text encoders. Nothing was changed."
                )


def _tokens(output: Tensor, state: int | None) -> Tensor:
    """The features of each token, `[rows, tokens, d]`, where an encoder may give several, `[rows, states, tokens, d]`.

    Args:
        state: which of them, or None for all of them side by side.
    """
    if output.ndim < 4:
        return output
    return output.movedim(1, 2).flatten(2) if state is None else output[:, state]


@contextmanager
def _padding_masked(encoder: Any) -> Iterator[None]:
    """Makes an encoder mask the padding, so that a row's features do not depend on the rows beside it."""
    before, encoder.enable_attention_masks = encoder.enable_attention_masks, True
    try:
        yield
    finally:
        encoder.enable_attention_masks = before


@contextmanager
def _cut_to(encoder: Any, length: int) -> Iterator[None]:
    """Lets the blocks of a CLIP see the first tokens alone: a token depends on none behind it, so nothing changes."""
    text_model = getattr(encoder.transformer, "text_model", None)
    if text_model is None or encoder.zero_out_masked:
        yield
        return

    def cut(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        mask = kwargs["mask"]
        short = None if mask is None else mask[..., :length, :length]
        return (args[0][:, :length].contiguous(), *args[1:]), kwargs | {"mask": short}

    handle = text_model.encoder.register_forward_pre_hook(cut, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def encoded_by(clip: CLIP, text: str, conditioning: list[Any]) -> bool:
    """Whether a conditioning is what this CLIP makes of a text.

    Raises:
        ValueError: the conditioning has another shape than what this CLIP makes, so nobody can tell.
    """
    given, expected = conditioning[0][0], cast(Tensor, clip.encode_from_tokens(clip.tokenize(text)))
    if given.shape != expected.shape:
        raise ValueError(
            f"the conditioning is {list(given.shape)}, but this CLIP makes {list(expected.shape)} of this text"
        )
    return torch.allclose(given.cpu(), expected.cpu(), rtol=1e-2, atol=1e-3)
