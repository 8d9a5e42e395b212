"""Trains the ControlNet of the mini model on outlines of the mini world's drawings. The mini model itself stays.

Writes ``control.safetensors`` and prints how often pictures follow an outline; about 12 minutes on one core.

Run it from the repository root, after ``make setup``::

    build/venv/bin/python -m tests.mini.train_control [--steps N] [--threads 1]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import comfy.cldm.cldm
import comfy.ldm.modules.attention
import comfy.ops
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, autocast, nn
from torch.nn import functional

from . import classifier, control, world
from . import model as mini
from .sample import sample
from .student import Student, diffuse
from .train import Average, rate

SILENT, MISLED = 0.4, 0.3
"""Shares of lessons without words, and with words that name another object: then the outline alone tells which.

Without the second sort, pictures of this model follow the words where the two disagree.
"""
HEADS: dict[str, Any] = {"num_heads": -1, "num_head_channels": 64}
"""Attention has one head of 64: the host reads no number of heads from a file, and takes this one."""


def build(seed: int) -> comfy.cldm.cldm.ControlNet:
    """A copy of the mini model's first half, and convolutions behind it that are zero, as every ControlNet starts.

    The layers that see the outline get weights twice as large as usual, because SiLU halves small values. The first
    three of them, which take most of the time, keep these random weights.
    """
    left_out = "out_channels", "transformer_depth_output"
    config: dict[str, Any] = {key: value for key, value in mini.UNET_CONFIG.items() if key not in left_out}
    network = comfy.cldm.cldm.ControlNet(**config, **HEADS, hint_channels=3, operations=comfy.ops.disable_weight_init)
    trained = mini.diffusion_model(mini.load()[0]).state_dict()
    generator = torch.Generator().manual_seed(seed)
    last = len(network.input_hint_block) - 1
    gain = {f"input_hint_block.{last}.weight": 1}
    for name, weight in network.named_parameters():
        if name in trained:
            weight.data.copy_(trained[name])
        elif weight.ndim > 1 and name.startswith("input_hint_block."):
            weight.data.normal_(0, gain.get(name, 2) / math.sqrt(weight[0].numel()), generator=generator)
        else:
            weight.data.zero_()
    network.requires_grad_(True).input_hint_block[:5].requires_grad_(False)
    return network


def sentence(choose: world.Chooser, scene: world.Scene, mention: world.Mention) -> str:
    """What is said of a scene, which may be nothing, or wrong."""
    if choose.chance(SILENT):
        return ""
    other = choose.below(len(world.SHAPES if scene.second else world.OBJECTS))
    wrong = choose.chance(MISLED / (1 - SILENT))
    return world.caption(choose, replace(scene, object=other) if wrong else scene, mention)


def lessons(teacher: Student, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Pictures `[N, 3, 16, 16]` in -1..1, token rows `[N, 77]` and outlines `[N, 3, 128, 128]`, without end."""
    choose = world.Chooser(generator)
    while True:
        drawn = [world.draw_lots(choose) for _ in range(size)]
        captions = [sentence(choose, scene, mention) for scene, mention in drawn]
        pictures = world.render_all([scene for scene, _ in drawn], generator)
        lines = functional.interpolate(control.outlines(pictures).movedim(-1, 1), scale_factor=2.0)
        yield pictures.movedim(-1, 1) * 2 - 1, teacher.vocabulary.rows(captions), lines


def mostly_noise(count: int, generator: torch.Generator) -> Tensor:
    """Timesteps, more of the early steps of sampling: there the outline tells most that the noise does not show."""
    return ((1 - torch.rand(count, generator=generator) ** 2) * 1000).long().clamp(max=999)


def loss(
    network: nn.Module, teacher: Student, lesson: tuple[Tensor, Tensor, Tensor], generator: torch.Generator
) -> Tensor:
    """Error of v that the mini model makes with what the ControlNet adds to it."""
    pictures, rows, lines = lesson
    noisy, timestep, answer = diffuse(pictures, generator, mostly_noise(len(pictures), generator))
    with autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            context = teacher.text(rows)
        added = network(x=noisy, hint=lines, timesteps=timestep.float(), context=context)
        predicted = teacher.unet(noisy, timestep.float(), context=context, control=added)
    return functional.mse_loss(predicted.float(), answer)


def groups(network: nn.Module) -> list[dict[str, Any]]:
    """The copied weights, which change slowly, and the new ones, each with its highest rate."""
    new = ("input_hint_block.", "zero_convs.", "middle_block_out.")
    named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    return [
        {"params": [weight for name, weight in named if not name.startswith(new)], "peak": 1e-3},
        {"params": [weight for name, weight in named if name.startswith(new)], "peak": 2e-3},
    ]


def train(steps: int, *, seed: int, out: Path, start: Path | None = None, batch: int = 16) -> None:
    """Train and write the averaged weights in float16; also every 200 steps, so that a stop loses little.

    Args:
        start: weights to go on from, at half the rates; None begins with a copy of the mini model.
    """
    attention = comfy.ldm.modules.attention
    attention.optimized_attention = attention.attention_basic  # as in train.py
    teacher = Student(seed)
    teacher.resume(mini.CHECKPOINT)
    teacher.requires_grad_(False)
    network = build(seed)
    if start:
        network.load_state_dict(load_file(start))
    gentle = 0.5 if start else 1.0
    average = Average(network, keep=0.99)
    optimizer = torch.optim.AdamW(groups(network), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    generator = torch.Generator().manual_seed(seed + 1)
    ahead = lessons(teacher, batch, generator)
    began, recent = time.time(), 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, gentle * group["peak"], warmup=30)
        wrong = loss(network, teacher, next(ahead), generator)
        optimizer.zero_grad()
        wrong.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update()
        recent += (wrong.item() - recent) / min(step + 1, 50)
        if (step + 1) % 25 == 0:
            print(f"step {step + 1} loss {recent:.4f} {time.time() - began:.0f} s", flush=True)
        if (step + 1) % 200 == 0 or step + 1 == steps:
            weights = network.state_dict() | average.weights
            save_file({name: weight.half().contiguous() for name, weight in weights.items()}, out)


PROMPTS = ("", "a nice photo , best quality", "a {own}", "a {other}")
"""No words, words that name nothing, the thing that the outline shows, another thing."""


def figures(weights: Path = control.WEIGHTS, count: int = 52, seed: int = 70) -> dict[str, dict[float, float]]:
    """Share of pictures that show the object of their outline, by prompt and by strength; four for each object."""
    scenes = [world.Scene(each % len(world.OBJECTS), each % len(world.COLOURS)) for each in range(count)]
    lines = control.outlines(world.render_all(scenes, torch.Generator().manual_seed(seed)))
    names = [world.OBJECTS[scene.object] for scene in scenes]
    others = [world.OBJECTS[(scene.object + 5) % len(world.OBJECTS)] for scene in scenes]
    wanted = torch.tensor([scene.object for scene in scenes])
    parts, network, found = mini.load(), control.load(weights), {}
    for prompt in PROMPTS:
        said = [prompt.format(own=own, other=other) for own, other in zip(names, others, strict=True)]
        found[prompt] = {}
        for strength in (0.0, 0.3, 0.6, 1.0):
            drawn = sample(*parts, said, seed=seed, steps=10, control=control.along(network, lines, strength))
            found[prompt][strength] = (classifier.classify(drawn)["object"] == wanted).float().mean().item()
        print(f"{prompt!r}: " + ", ".join(f"{share:.0%} at {s}" for s, share in found[prompt].items()), flush=True)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=control.WEIGHTS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    train(chosen.steps, seed=chosen.seed, out=chosen.out, start=chosen.start)
    with torch.inference_mode():
        figures(chosen.out)


if __name__ == "__main__":
    main()
