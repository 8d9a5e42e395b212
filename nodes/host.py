"""The only bridge to ComfyUI: prompts in, features and weights out, patches on. Nothing here writes into a weight."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, cast

import comfy.float
import comfy.lora
import comfy.model_management
import comfy.utils
import folder_paths
import torch
from aiohttp import web
from comfy.cli_args import args
from comfy.model_patcher import ModelPatcher, get_key_weight, string_to_seed
from comfy.quant_ops import QuantizedTensor
from comfy.sd import CLIP
from comfy.sd1_clip import SDTokenizer
from comfy.weight_adapter import LoRAAdapter
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor, nn

from ..erasepro_core import Encoder, Erasure, FamilyError, LowRankUpdate, TextInput, TokenRow, family_of
from ..erasepro_core.align import POOLED_ROW
from ..erasepro_core.audit import fingerprint
from ..erasepro_core.capture import hooked
from ..erasepro_core.path import Features, Rows
from ..erasepro_core.plots import PlotError

log = logging.getLogger("erasepro")


class ApplyError(ValueError):
    """An erasure that does not fit the model; nothing was applied."""


class PromptError(ValueError):
    """A prompt that cannot be captured."""


class WeightError(ValueError):
    """A layer whose weight is kept in a form that cannot be read or patched."""


class HostPath:
    """The way of a prompt through a live MODEL and CLIP; see erasepro_core.path.TextPath for what each method gives.

    Raises:
        FamilyError: the two are of no known family, or do not belong together.
        WeightError: a layer is quantised in a way that keeps its weight out of reach.
    """

    def __init__(self, model: ModelPatcher, clip: CLIP):
        self.model, self.clip = model, clip
        text_keys, model_keys = list(clip.cond_stage_model.state_dict()), list(model.model.state_dict())
        self.family = family_of(text_keys, model_keys)
        self.inputs: Sequence[TextInput] = self.family.inputs(text_keys, model_keys)
        self.encoders: Sequence[Encoder] = [self._running(encoder) for encoder in self.family.encoders(text_keys)]
        self._frames = {encoder.name: self._frame(encoder) for encoder in self.encoders}
        self._refuse_unreadable()
        self._refuse_other_widths()
        for unseen in self.unseen():
            log.warning("%s; ErasePro sees only weights and their patches.", unseen)

    def unseen(self) -> list[str]:
        """What acts on this model at sampling and cannot be measured here."""
        found = []
        conditioned = [name for text_input in self.inputs for name in text_input.layers]
        text_layers = [key.rpartition(".")[0] for key in self.clip.cond_stage_model.state_dict()]
        for patcher, side, layers in (
            (self.model, "MODEL", conditioned),
            (self.clip.patcher, "CLIP", text_layers),
        ):
            if patcher.injections or patcher.hook_patches or patcher.forced_hooks:
                found.append(f"this {side} carries LoRAs that act through hooks or injections")
            replaced = [key for key in patcher.object_patches if any(_overlap(key, layer) for layer in layers)]
            found += [f"this {side} has something else in place of its {key}" for key in replaced]
        return found

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[Rows]:
        return [self._rows(prompt, emphasis) for prompt in prompts]

    def encode(self, rows: Sequence[Rows]) -> Features:
        said: dict[str, Tensor] = {}

        def hear(encoder: Encoder, _: object, output: Any) -> None:
            said[encoder.name] = output[0]
            if output[1] is not None:
                said[encoder.pooled] = output[1][:, None]

        # Rows side by side are what the host itself makes of a long prompt: one forward pass for all of them. What it
        # returns is taken where each encoder gives it, since of pooled vectors it keeps the first row's only.
        tokens: dict[str, Any] = {key: [] for key in self.clip.tokenize("")}
        with ExitStack() as stack:
            for encoder in self.encoders:
                module = self.module(encoder.name)
                ids, lengths = _side_by_side([row[encoder.name] for row in rows], module)
                tokens[encoder.tokens] = ids
                if min(lengths) < max(lengths):
                    stack.enter_context(_masked(module))
            hooks = {self.module(encoder.name): partial(hear, encoder) for encoder in self.encoders}
            stack.enter_context(hooked(hooks, {}))
            self.clip.encode_from_tokens(tokens)
        # Where words are emphasised the host encodes one row more, and writes the emphasis into what an encoder gave.
        said = {name: output[: len(rows)] for name, output in said.items()}
        return {text_input.name: self._features(text_input, said) for text_input in self.inputs}

    def module(self, name: str) -> nn.Module:
        return self.clip.cond_stage_model.get_submodule(name)

    def conditioned(self, text_input: TextInput) -> Iterator[tuple[str, Tensor]]:
        for name in text_input.layers:
            yield name, effective_weight(self.model, f"{name}.weight")

    def _running(self, encoder: Encoder) -> Encoder:
        """The encoder without the blocks that clip skip, or the family's own habit, leaves unused."""
        count = len(encoder.blocks)
        if any(encoder.pooled in text_input.parts for text_input in self.inputs):
            return encoder  # the pooled vector comes from the last block whatever is skipped
        layer, index, _ = cast(Any, self.module(encoder.name)).options_default
        if self.clip.layer_idx is not None:
            layer, index = ("hidden" if abs(self.clip.layer_idx) <= count else "last"), self.clip.layer_idx
        if layer != "hidden":
            return encoder
        return replace(encoder, blocks=encoder.blocks[: index + 1 if index >= 0 else count + index + 1])

    def _features(self, text_input: TextInput, said: Mapping[str, Tensor]) -> Tensor:
        """What the layers of an input read, put together as the host does it."""
        device = comfy.model_management.get_torch_device()
        like = said[text_input.source]
        parts = [like.new_zeros(*like.shape[:2], p) if isinstance(p, int) else said[p] for p in text_input.parts]
        features = torch.cat(parts, dim=-1).to(device, torch.float32)
        width = self._layer_width(text_input)
        features = nn.functional.pad(features, (0, width - features.shape[-1]))
        return features if text_input.norm is None else self._normed(features, text_input.norm)

    def _layer_width(self, text_input: TextInput) -> int:
        return cast(Any, self.model.model.get_submodule(text_input.layers[0])).in_features

    def _refuse_other_widths(self) -> None:
        """Raises FamilyError when the features of the CLIP are not as wide as what the layers of the MODEL read."""
        own = {e.name: cast(Any, self.module(e.blocks[0].readers[0])).in_features for e in self.encoders}
        own |= {encoder.pooled: own[encoder.name] for encoder in self.encoders}
        for text_input in self.inputs:
            said = sum(part if isinstance(part, int) else own[part] for part in text_input.parts)
            read = self._layer_width(text_input)
            if said > read or (said < read and not text_input.filled):
                raise FamilyError(
                    f"this CLIP ({', '.join(e.name for e in self.encoders)}) gives features of {said} values, but "
                    f"{text_input.layers[0]} of this MODEL reads {read}. Connect MODEL and CLIP of one checkpoint, "
                    "with all of its text encoders. Nothing was changed."
                )

    def _normed(self, features: Tensor, name: str) -> Tensor:
        """The features behind an RMS norm of the diffusion model."""
        weight = effective_weight(self.model, f"{name}.weight")
        return nn.functional.rms_norm(features, weight.shape, weight, self.model.model.get_submodule(name).eps)

    def _tokenizer(self, encoder: Encoder) -> Any:
        """The host's tokenizer of one encoder."""
        outer = self.clip.tokenizer
        return getattr(outer, encoder.name, None) or getattr(outer, f"clip_{encoder.name}")

    def _frame(self, encoder: Encoder) -> tuple[int, int]:
        """How many tokens the host puts in front of the words and behind them: BOS, EOS, a template."""
        tokenizer = self._tokenizer(encoder)
        if tokenizer.end_token is not None:
            return tokenizer.tokens_start, 1
        empty, some = ([token for token, _ in self.clip.tokenize(text)[encoder.tokens][0]] for text in ("", "a"))
        lead = next((i for i, (x, y) in enumerate(zip(empty, some, strict=False)) if x != y), len(empty))
        return lead, len(empty) - lead

    def _rows(self, prompt: str, emphasis: bool) -> Rows:
        said = self.clip.tokenize(prompt if emphasis else _without_emphasis(prompt))
        rows = {encoder.name: self._row(prompt, encoder, said[encoder.tokens]) for encoder in self.encoders}
        return rows | {encoder.pooled: POOLED_ROW for encoder in self.encoders}

    def _row(self, prompt: str, encoder: Encoder, chunks: list[list[tuple[int, float]]]) -> TokenRow:
        tokenizer, (lead, tail) = self._tokenizer(encoder), self._frames[encoder.name]
        if len(chunks) > 1:
            raise PromptError(
                f"{prompt!r} has {_words(tokenizer, chunks)} tokens; a concept and its sentence must fit into one "
                f"chunk of {tokenizer.max_length}. Shorten the name, its alias or its anchor."
            )
        ids, weights = zip(*chunks[0], strict=True)
        end = len(ids) - tail if tokenizer.end_token is None else ids.index(tokenizer.end_token, lead)
        # Padding that is masked and that nobody reads would be most of the work (512 tokens a prompt for Wan).
        masked = cast(Any, self.module(encoder.name)).enable_attention_masks and not encoder.padding
        read = end + tail if masked else len(ids)
        return TokenRow(ids[:read], lead, end, tail, weights[:read])

    def _refuse_unreadable(self) -> None:
        """Raises WeightError for a layer of either side whose weight is not a matrix of numbers to the host."""
        layers = [name for text_input in self.inputs for name in text_input.layers]
        blocks = [block for encoder in self.encoders for block in encoder.blocks]
        written = [name for block in blocks for name in (*block.readers, block.writer)]
        sides = (self.model.model, layers, "MODEL"), (self.clip.cond_stage_model, written, "CLIP")
        for root, names, side in sides:
            for name in names:
                _refuse_packed(root.get_submodule(name), name, side)


def _overlap(one: str, other: str) -> bool:
    """Whether of two modules, by name, one is in the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _without_emphasis(prompt: str) -> str:
    """The prompt with its parentheses as plain characters: emphasis is no part of a concept."""
    plain = prompt.replace(r"\(", "(").replace(r"\)", ")")
    return plain.replace("(", r"\(").replace(")", r"\)")


def _side_by_side(rows: Sequence[TokenRow], module: nn.Module) -> tuple[list[list[tuple[int, float]]], list[int]]:
    """The rows as the host's encoder takes them, all of one length, and the length of each."""
    lengths = [len(row.ids) for row in rows]
    fill = cast(Any, module).special_tokens.get("pad", 0)
    filling = [[(fill, 1.0)] * (max(lengths) - length) for length in lengths]
    return [[*zip(r.ids, r.weights, strict=True), *more] for r, more in zip(rows, filling, strict=True)], lengths


@contextmanager
def _masked(module: Any) -> Iterator[None]:
    """Keeps an encoder from looking at what was filled up behind a row, so that each says what it says alone."""
    before, module.enable_attention_masks = module.enable_attention_masks, True
    try:
        yield
    finally:
        module.enable_attention_masks = before


def _refuse_packed(layer: nn.Module, name: str, side: str) -> None:
    """Raises WeightError unless the layer's weight is a plain matrix, or one that the host itself can unpack."""
    weight = cast(Any, layer).weight
    shape = getattr(layer, "out_features", None), getattr(layer, "in_features", None)
    if isinstance(weight, QuantizedTensor):
        return
    plain = type(weight) in (Tensor, nn.Parameter) and weight.is_floating_point() and tuple(weight.shape) == shape
    if not plain:
        found = f"a {type(weight).__name__} of {weight.dtype} {list(weight.shape)}" if weight is not None else "none"
        raise WeightError(
            f"the weight of {name} in this {side} should be a matrix {shape[0]} x {shape[1]}, but is {found}: a form "
            "of quantisation, such as GGUF or 4 bits, that ErasePro cannot read. Load the model in fp16, bf16 or fp8. "
            "Nothing was changed."
        )


def effective_weight(patcher: ModelPatcher, key: str) -> Tensor:
    """A weight as it reaches the sampler, with every patch of this patcher and the host's rounding, in float32.

    Read on the device that computes, whether the model is loaded, half loaded or not at all; changes nothing.
    """
    stored, _, convert = get_key_weight(patcher.model, key)
    if key in patcher.hook_backup:
        stored = patcher.hook_backup[key][0]
    elif key in patcher.backup:
        stored = patcher.backup[key].weight
    weight = stored.to(comfy.model_management.get_torch_device())
    if isinstance(weight, QuantizedTensor):
        weight = weight.dequantize()
    weight = weight.to(torch.float32, copy=True)
    if convert is not None:
        weight = convert(weight, inplace=True)
    patches = patcher.patches.get(key)
    if not patches:
        return weight
    weight = comfy.lora.calculate_weight(patches, weight, key)
    return comfy.float.stochastic_rounding(weight, stored.dtype, seed=string_to_seed(key)).to(torch.float32)


def with_erasure(model: ModelPatcher, clip: CLIP, erasure: Erasure, strength: float) -> tuple[ModelPatcher, CLIP]:
    """Clones that carry the erasure as patches; the model and the CLIP given stay as they are.

    Raises:
        ApplyError: a layer is missing or has another shape; nothing was applied.
    """
    if not 0.0 <= strength <= 1.0:
        raise ApplyError(f"the strength is {strength}; it must lie between 0 (the original) and 1 (erased).")
    if strength == 0.0:
        return model, clip
    sides = (model.model, erasure.diffusion_model), (clip.cond_stage_model, erasure.text_encoder)
    misfits = [name for module, updates in sides for name, update in updates.items() if not _fits(module, name, update)]
    if misfits:
        total = sum(len(part) for part in erasure.parts())
        raise ApplyError(
            f"{len(misfits)} of {total} layers of this erasure do not exist in this model or have another shape "
            f"(the first is {misfits[0]}), so nothing was applied. The erasure was made for {erasure.family}. "
            "Solve again on this model, or connect MODEL and CLIP of the model it was made for."
        )
    family = HostPath(model, clip).family.name
    if family != erasure.family:
        raise ApplyError(
            f"this erasure was made for a model of the family {erasure.family}; this MODEL and CLIP are {family}, so "
            "nothing was applied. Solve again on this model, or connect the model it was made for."
        )
    edited_model, edited_clip = model.clone(), clip.clone()
    _patch(edited_model, erasure.diffusion_model, strength)
    _patch(edited_clip.patcher, erasure.text_encoder, strength)
    return edited_model, edited_clip


def _fits(root: nn.Module, name: str, update: LowRankUpdate) -> bool:
    try:
        layer = root.get_submodule(name)
    except AttributeError:
        return False
    shape = getattr(layer, "out_features", None), getattr(layer, "in_features", None)
    return shape == (update.left.shape[0], update.right.shape[1])


def _patch(patcher: ModelPatcher, updates: Mapping[str, LowRankUpdate], strength: float) -> None:
    patches = {
        f"{name}.weight": LoRAAdapter(set(), (update.left, update.right, None, None, None, None))
        for name, update in updates.items()
    }
    taken = patcher.add_patches(patches, strength)
    if len(taken) != len(patches):
        raise ApplyError(f"the host took {len(taken)} of {len(patches)} updates, so nothing was applied.")


def without_patches(model: ModelPatcher, clip: CLIP) -> tuple[ModelPatcher, CLIP]:
    """Clones without any patch: what the checkpoint itself says."""
    plain_model, plain_clip = model.clone(), clip.clone()
    for patcher in (plain_model, plain_clip.patcher):
        patcher.patches, patcher.patches_uuid = {}, uuid.uuid4()
    return plain_model, plain_clip


def fingerprints(model: ModelPatcher, clip: CLIP, erasure: Erasure) -> dict[str, tuple[float, float]]:
    """Of the weights that an erasure changes, as they are in a model; layers that the model lacks are left out."""
    sides = (clip.patcher, erasure.text_encoder), (model, erasure.diffusion_model)
    return {
        name: fingerprint(effective_weight(patcher, f"{name}.weight"))
        for patcher, updates in sides
        for name, update in updates.items()
        if _fits(patcher.model, name, update)
    }


def encoded_by(clip: CLIP, text: str, conditioning: list[Any]) -> bool:
    """Whether a conditioning is what this CLIP makes of a text."""
    features, said = conditioning[0][0], cast(Tensor, clip.encode_from_tokens(clip.tokenize(text)))
    return features.shape == said.shape and torch.allclose(features.cpu(), said.cpu(), rtol=1e-2, atol=1e-3)


def picture_or_reason(draw: Callable[[], Tensor]) -> Tensor | ExecutionBlocker:
    """A picture; without matplotlib, what makes the host show the reason on whatever node would have shown it."""
    try:
        return draw()
    except PlotError as reason:
        log.warning("%s", reason)
        return ExecutionBlocker(str(reason))


FOLDER = "erasepro"


def register_folder() -> None:
    """Makes `models/erasepro`, and `erasepro` in the output folder, places where erasures are found.

    Folders that extra_model_paths names for `erasepro` are there already and stay.
    """
    for parent in (folder_paths.models_dir, folder_paths.get_output_directory()):
        folder_paths.add_model_folder_path(FOLDER, str(Path(parent) / FOLDER))
    # A folder kind that the host does not know starts with an empty set, which means every file.
    folder_paths.folder_names_and_paths[FOLDER][1].add(".safetensors")


def erasure_files() -> list[str]:
    """Names of all erasures in these places."""
    return folder_paths.get_filename_list(FOLDER)


def erasure_path(name: str) -> Path:
    """Where an erasure is; raises FileNotFoundError for a name that none has."""
    return Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def save_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], prefix: str) -> tuple[str, bool]:
    """Writes a safetensors file into the output folder, under the next free number.

    Returns:
        Its path inside the output folder, and whether the metadata is in it: `--disable-metadata` keeps it out.

    Raises:
        Exception: the host's own, for a prefix that leads out of the output folder; nothing was written.
    """
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    file = f"{name}_{number:05}_.safetensors"
    kept = None if args.disable_metadata else dict(metadata)
    comfy.utils.save_torch_file(dict(tensors), str(Path(folder) / file), metadata=kept)
    return str(Path(subfolder) / file), kept is not None


def add_post_route(path: str, answer: Callable[[web.Request], Awaitable[web.Response]]) -> None:
    """Makes the running host answer POST requests at a path."""
    from server import PromptServer  # exists in ComfyUI's own process only

    PromptServer.instance.routes.post(path)(answer)


@lru_cache(maxsize=4096)
def token_count(phrase: str) -> int:
    """How many tokens CLIP makes of a phrase, without start and end. Text encoders of another kind differ a little."""
    tokenizer = _clip_tokenizer()
    return _words(tokenizer, tokenizer.tokenize_with_weights(phrase, disable_weights=True))


def _words(tokenizer: Any, chunks: list[list[tuple[int, float]]]) -> int:
    """How many tokens of a tokenized prompt are neither start, end nor padding."""
    frame = (tokenizer.start_token, tokenizer.end_token)
    return sum(token not in frame for chunk in chunks for token, _ in chunk)


@cache
def _clip_tokenizer() -> SDTokenizer:
    return SDTokenizer()
