"""The ControlNet of the mini model: it draws along an outline, as the host's node Canny draws one.

One safetensors file in float16, named as those of Stable Diffusion 1 are: the host's own Load ControlNet reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.controlnet
import torch
from comfy_extras.nodes_canny import Canny
from torch import Tensor
from torch.nn import functional

WEIGHTS = Path(__file__).parent / "control.safetensors"
SIDE = 64
"""Pixels of an outline, each way; the host makes 128 of them, eight for each of the mini model's."""
LOW, HIGH = 0.1, 0.2
"""The thresholds of Canny."""


def load(weights: Path = WEIGHTS) -> comfy.controlnet.ControlNet:
    """The trained ControlNet, as Load ControlNet gives it.

    The part that sees the outline does most of the work, and the host repeats it at every step. Here it runs once.
    """
    found: Any = comfy.controlnet.load_controlnet(str(weights))
    block = found.control_model.input_hint_block
    block.forward = once(block.forward)
    return found


def once(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, with its answer kept for as long as it is asked about the same tensor."""
    last: list[Tensor] = []

    def asked(lines: Tensor, *others: Tensor) -> Tensor:
        if not last or last[0] is not lines:
            last[:] = lines, forward(lines, *others)
        return last[1]

    return asked


def outlines(pictures: Tensor) -> Tensor:
    """White lines on black, `[N, SIDE, SIDE, 3]`, where pictures `[N, 16, 16, 3]` have edges.

    In a graph: ImageScale (bilinear) to SIDE x SIDE, then Canny with the thresholds above.
    """
    large = functional.interpolate(pictures.movedim(-1, 1), (SIDE, SIDE), mode="bilinear").movedim(1, -1)
    few = large.split(8)  # Canny goes on until the last picture of a batch has all its lines
    return torch.cat([Canny.execute(each, LOW, HIGH).args[0] for each in few])


def along(
    network: comfy.controlnet.ControlNet, lines: Tensor, strength: float = 1.0, end: float = 1.0
) -> comfy.controlnet.ControlNet:
    """The ControlNet with an outline for each picture, as the node Apply ControlNet hands it on to the sampler.

    Args:
        end: up to which part of the steps it acts, `end_percent` of the node.
    """
    return network.copy().set_cond_hint(lines.movedim(-1, 1), strength, (0.0, end))
