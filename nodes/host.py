"""The only bridge to ComfyUI: prompts in, features and weights out, patches on. Nothing here writes into a weight."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
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
from comfy.sd import CLIP
from comfy.sd1_clip import SDTokenizer
from comfy.weight_adapter import LoRAAdapter
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor, nn

from ..erasepro_core import EncoderBlock, Erasure, LowRankUpdate, TokenRow, family_of
from ..erasepro_core.audit import fingerprint
from ..erasepro_core.plots import PlotError

log = logging.getLogger("erasepro")


class ApplyError(ValueError):
    """An erasure that does not fit the model; nothing was applied."""


class PromptError(ValueError):
    """A prompt that cannot be captured."""


class HostPath:
    """The way of a prompt through a live MODEL and CLIP; see erasepro_core.plan.TextPath for what each method gives."""

    def __init__(self, model: ModelPatcher, clip: CLIP):
        self.model, self.clip = model, clip
        self._text_keys = list(clip.cond_stage_model.state_dict())
        model_keys = list(model.model.state_dict())
        self.family = family_of(self._text_keys, model_keys)
        self._conditioned = self.family.conditioned(model_keys)
        for unseen in self.unseen():
            log.warning("%s; ErasePro sees only weights and their patches.", unseen)

    def unseen(self) -> list[str]:
        """What acts on this model at sampling and cannot be measured here."""
        found = []
        text_layers = [key.rpartition(".")[0] for key in self._text_keys]
        for patcher, side, layers in (
            (self.model, "MODEL", self._conditioned),
            (self.clip.patcher, "CLIP", text_layers),
        ):
            if patcher.injections or patcher.hook_patches or patcher.forced_hooks:
                found.append(f"this {side} carries LoRAs that act through hooks or injections")
            replaced = [key for key in patcher.object_patches if any(_overlap(key, layer) for layer in layers)]
            found += [f"this {side} has something else in place of its {key}" for key in replaced]
        return found

    def tokenize(self, prompts: Sequence[str], emphasis: bool = False) -> list[TokenRow]:
        return [self._row(prompt, emphasis) for prompt in prompts]

    def encode(self, rows: Sequence[TokenRow]) -> Tensor:
        # Rows side by side are what the host itself makes of a long prompt: one forward pass for all of them.
        tokens = {self._tokenizer()[0]: [list(zip(row.ids, row.weights, strict=True)) for row in rows]}
        features = cast(Tensor, self.clip.encode_from_tokens(tokens))
        return features.reshape(len(rows), -1, features.shape[-1])

    def blocks(self) -> list[EncoderBlock]:
        blocks = self.family.encoder_blocks(self._text_keys)
        skip = self.clip.layer_idx
        return blocks if skip is None or skip >= 0 else blocks[: len(blocks) + skip + 1]

    def module(self, name: str) -> nn.Module:
        return self.clip.cond_stage_model.get_submodule(name)

    def conditioned(self) -> Iterator[tuple[str, Tensor]]:
        for name in self._conditioned:
            yield name, effective_weight(self.model, f"{name}.weight")

    def _tokenizer(self) -> tuple[str, Any]:
        """Name of the token list and the tokenizer that fills it."""
        outer = self.clip.tokenizer
        return outer.clip_name, getattr(outer, outer.clip)

    def _row(self, prompt: str, emphasis: bool) -> TokenRow:
        name, tokenizer = self._tokenizer()
        chunks = self.clip.tokenize(prompt, disable_weights=not emphasis)[name]
        if len(chunks) > 1:
            raise PromptError(
                f"{prompt!r} has {_words(tokenizer, chunks)} tokens; a concept and its sentence must fit into one "
                f"chunk of {tokenizer.max_length}. Shorten the name, its alias or its anchor."
            )
        ids, weights = zip(*chunks[0], strict=True)
        end = ids.index(tokenizer.end_token, tokenizer.tokens_start)
        return TokenRow(ids, tokenizer.tokens_start, end, weights)


def _overlap(one: str, other: str) -> bool:
    """Whether of two modules, by name, one is in the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


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
    if hasattr(weight, "dequantize") and type(weight) is not torch.nn.Parameter and type(weight) is not Tensor:
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
