"""Clones of a MODEL and a CLIP that carry an erasure as patches, or no patches at all."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy.weight_adapter import LoRAAdapter

from ...erasepro_core import UpdateSet
from ...erasepro_core.update import RowUpdate, Update
from .live_path import HostPath
from .weights import fits


class ApplyError(ValueError):
    """An erasure that does not fit the model; nothing was applied."""


def with_erasure(model: ModelPatcher, clip: CLIP, updates: UpdateSet, strength: float) -> tuple[ModelPatcher, CLIP]:
    """Clones that carry the erasure as patches; the given MODEL and CLIP are not changed.

    Raises:
        ApplyError: a layer is missing or has another shape, or the family is another; nothing was applied.
    """
    if not 0.0 <= strength <= 1.0:
        raise ApplyError(f"the strength is {strength}; it must lie between 0 (the original) and 1 (erased).")
    if strength == 0.0:
        return model, clip
    _refuse_other_layers(model, clip, updates)
    _refuse_other_family(model, clip, updates)
    _refuse_twice((model, clip.patcher), updates, strength)
    edited_model, edited_clip = model.clone(), clip.clone()
    _patch(edited_model, updates.diffusion_model, strength)
    _patch(edited_clip.patcher, updates.text_encoder, strength)
    return edited_model, edited_clip


def without_patches(model: ModelPatcher, clip: CLIP) -> tuple[ModelPatcher, CLIP]:
    """Clones without any patch: the checkpoint's own weights."""
    plain_model, plain_clip = model.clone(), clip.clone()
    for patcher in (plain_model, plain_clip.patcher):
        patcher.patches, patcher.patches_uuid = {}, uuid.uuid4()
    return plain_model, plain_clip


def _refuse_other_layers(model: ModelPatcher, clip: CLIP, updates: UpdateSet) -> None:
    """Raises ApplyError if a layer of the erasure is missing or has another shape."""
    sides = (model.model, updates.diffusion_model), (clip.cond_stage_model, updates.text_encoder)
    misfits = [name for module, part in sides for name, update in part.items() if not fits(module, name, update)]
    if misfits:
        total = sum(len(part) for part in updates.parts())
        raise ApplyError(
            f"{len(misfits)} of {total} layers of this erasure do not exist in this model or have another shape "
            f"(the first is {misfits[0]}), so nothing was applied. The erasure was made for {updates.family}. "
            "Solve again on this model, or connect MODEL and CLIP of the model it was made for."
        )


def _refuse_other_family(model: ModelPatcher, clip: CLIP, updates: UpdateSet) -> None:
    """Raises ApplyError if the erasure was made for a model of another family."""
    family = HostPath(model, clip).family.name
    if family != updates.family:
        raise ApplyError(
            f"this erasure was made for a model of the family {updates.family}; this MODEL and CLIP are {family}, so "
            "nothing was applied. Solve again on this model, or connect the model it was made for."
        )


def _refuse_twice(patchers: tuple[ModelPatcher, ModelPatcher], updates: UpdateSet, strength: float) -> None:
    """Raises ApplyError if the same erasure is there already, so that both together would overshoot the anchor."""
    parts = zip(patchers, (updates.diffusion_model, updates.text_encoder), strict=True)
    carried = (_strength_of(patcher, name, update) for patcher, part in parts for name, update in part.items())
    applied = max(carried, default=0.0)
    if applied + strength > 1 + 1e-6:
        raise ApplyError(
            f"this MODEL or CLIP carries the same erasure already, with strength {applied:g}; another {strength:g} "
            "would correct more than all of it, so nothing was applied. Remove one of the two Apply Erasure nodes, or "
            "connect MODEL and CLIP from before the first."
        )


def _strength_of(patcher: ModelPatcher, name: str, update: Update) -> float:
    """How strongly a patcher carries an update; 0 if it does not."""
    patches = patcher.patches.get(f"{name}.weight", ())
    if isinstance(update, RowUpdate):
        first = int(update.rows[0])
        return sum(p[0] for p in patches if p[3] == (0, first, 1) and torch.equal(p[1][1][0][0].cpu(), update.right[0]))
    return sum(patch[0] for patch in patches if isinstance(patch[1], LoRAAdapter) and _same(patch[1], update))


def _same(adapter: LoRAAdapter, update: Update) -> bool:
    up, down = adapter.weights[:2]
    return torch.equal(up.cpu(), update.left.cpu()) and torch.equal(down.cpu(), update.right.cpu())


def _patch(patcher: ModelPatcher, updates: Mapping[str, Update], strength: float) -> None:
    """Adds the updates to a clone as patches."""
    patches: dict[Any, Any] = {}
    for name, update in updates.items():
        if isinstance(update, RowUpdate):  # one patch a row, so that no other row is touched
            rows = zip(update.rows.tolist(), update.right, strict=True)
            patches |= {(f"{name}.weight", (0, row, 1)): ("diff", (change[None],)) for row, change in rows}
        else:
            patches[f"{name}.weight"] = LoRAAdapter(set(), (update.left, update.right, None, None, None, None))
    taken = patcher.add_patches(patches, strength)
    if len(taken) != len(patches):
        raise ApplyError(f"the host took {len(taken)} of {len(patches)} updates, so nothing was applied.")
