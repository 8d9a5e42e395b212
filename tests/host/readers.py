"""Other programs' readers of LoRA files, in a process of the tests; an erasure of given layers to try them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from erasepro_core import LowRankUpdate, UpdateSet
from erasepro_core.solution import Side
from tests.artefact import example, normal


def random_update(outputs: int, inputs: int, seed: int) -> LowRankUpdate:
    """An update of rank 2, unlike that of any other seed."""
    return LowRankUpdate(normal(outputs, 2, seed=seed), normal(2, inputs, seed=1000 + seed))


def random_erasure(family: str, shapes: Mapping[str, tuple[int, ...]], sides: Mapping[str, Side]) -> Any:
    """A report of an erasure with a random update of every layer.

    Args:
        family: by its name.
        shapes: of the weights, by layer.
        sides: the side of each layer.
    """
    updates = {name: random_update(shape[0], shape[1], seed) for seed, (name, shape) in enumerate(shapes.items())}
    text, unet = ({name: update for name, update in updates.items() if sides[name] is side} for side in Side)
    return erasure(family, text, unet)


def erasure(family: str, text: Mapping[str, Any], unet: Mapping[str, Any]) -> Any:
    """A report of an erasure with these updates."""
    made = example()
    sides = [(name, Side.TEXT_ENCODER) for name in text] + [(name, Side.DIFFUSION_MODEL) for name in unet]
    layers = tuple(replace(made.solution.layers[0], name=name, side=side) for name, side in sides)
    solution = replace(made.solution, updates=UpdateSet(family, dict(text), dict(unet)), layers=layers)
    residuals = dict.fromkeys((name for name, _ in sides), next(iter(made.residuals.values())))
    return replace(made, solution=solution, residuals=residuals, fingerprints={})


def diffusers_added(module: Any) -> dict[str, torch.Tensor]:
    """What a LoRA adds to each weight of a module of diffusers, by the name of the layer."""
    found = {}
    for name, part in module.named_modules():
        if hasattr(part, "lora_A") and "erasure" in part.lora_A:
            delta = part.scaling["erasure"] * part.lora_B["erasure"].weight @ part.lora_A["erasure"].weight
            found[name] = delta.detach()
    return {name: delta for name, delta in found.items() if delta.any()}
