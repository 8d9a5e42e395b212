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
from ...erasepro_core.update import LowRankUpdate, RowUpdate, Update
from .live_path import HostPath
from .rows import carried_rows, misplaced_rows, row_patches
from .weights import fits

SAME = 0.05
"""Updates that differ by less than this share of their size are the same, one of them from a file in half precision."""


class ApplyError(ValueError):
    """An erasure that does not fit the model; nothing was applied."""


def with_erasure(model: ModelPatcher, clip: CLIP, updates: UpdateSet, strength: float) -> tuple[ModelPatcher, CLIP]:
    """Clones that carry the erasure as patches; the given MODEL and CLIP are not changed.

    Raises:
        ApplyError: a layer is missing or has another shape, the family is another, or what is erased already does not
            go together with it; nothing was applied.
    """
    if not 0.0 <= strength <= 1.0:
        raise ApplyError(f"the strength is {strength}; it must lie between 0 (the original) and 1 (erased).")
    if strength == 0.0:
        return model, clip
    _refuse_other_layers(model, clip, updates)
    _refuse_other_family(model, clip, updates)
    _refuse_twice((model, clip.patcher), updates, strength)
    _refuse_other_anchors(model, clip, updates)
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
    """How strongly a patcher carries an update, all of it; 0 if it does not."""
    if isinstance(update, RowUpdate):
        return min(carried_rows(patcher, name, update))
    patches = patcher.patches.get(f"{name}.weight", ())
    return sum(patch[0] for patch in patches if isinstance(patch[1], LoRAAdapter) and _same(patch[1], update))


def _same(adapter: LoRAAdapter, update: LowRankUpdate) -> bool:
    """Whether a patch is this update, or what a file in half precision keeps of it."""
    up, down = (factor.to(update.right) for factor in adapter.weights[:2])
    if up.shape[0] != update.left.shape[0] or down.shape[1] != update.right.shape[1]:
        return False
    apart = LowRankUpdate(torch.cat([up, -update.left], dim=1), torch.cat([down, update.right]))
    return apart.norm() <= SAME * update.norm()


def _refuse_other_anchors(model: ModelPatcher, clip: CLIP, updates: UpdateSet) -> None:
    """Raises ApplyError if another erasure has given a token another anchor: the two changes would add up."""
    tables = {name: update for name, update in updates.text_encoder.items() if isinstance(update, RowUpdate)}
    misplaced = {name: misplaced_rows(clip.patcher, name, update) for name, update in tables.items()}
    if any(misplaced.values()):
        words = ", ".join(map(repr, HostPath(model, clip).words(misplaced)))
        raise ApplyError(
            f"this erasure sets the row of {words} in the table of tokens, and another erasure in this CLIP has set it "
            "to another anchor. Both together would be neither, so nothing was applied. Solve this erasure on MODEL "
            "and CLIP from Apply Erasure of the other one, or erase both in one Solve."
        )


def _patch(patcher: ModelPatcher, updates: Mapping[str, Update], strength: float) -> None:
    """Adds the updates to a clone as patches. A row that is changed in the same way already gets what is missing."""
    by_strength: dict[float, dict[Any, Any]] = {}
    for name, update in updates.items():
        if isinstance(update, RowUpdate):
            carried = carried_rows(patcher, name, update)
            for (key, patch), already in zip(row_patches(name, update), carried, strict=True):
                by_strength.setdefault(min(strength, max(1 - already, 0.0)), {})[key] = patch
        else:
            adapter = LoRAAdapter(set(), (update.left, update.right, None, None, None, None))
            by_strength.setdefault(strength, {})[f"{name}.weight"] = adapter
    by_strength.pop(0.0, None)
    for part, patches in by_strength.items():
        if len(taken := patcher.add_patches(patches, part)) != len(patches):
            raise ApplyError(f"the host took {len(taken)} of {len(patches)} updates, so nothing was applied.")
