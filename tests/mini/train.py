"""The recipe: trains text encoder and diffusion model together, then the classifier, and measures the result.

Writes ``model.safetensors``, ``classifier.safetensors`` and ``figures.json``; about 25 minutes on 2 cores.

Run it from the repository root, after ``make setup``::

    build/venv/bin/python -m tests.mini.train [--steps N] [--threads 2]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import comfy.ldm.modules.attention
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from . import classifier, figures, world
from . import model as mini
from .student import Student, Vocabulary

PLURAL = 0.08
"""Share of captions in the plural. A checkpoint that learns nothing but new words sees no others."""


def lessons(
    vocabulary: Vocabulary, count: int, generator: torch.Generator, plural: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures `[N, 3, 16, 16]` in -1..1, token rows `[N, 77]`, facts `[N, 4]`."""
    scenes, captions = world.lessons(count, generator, plural=plural)
    pictures = world.render_all(scenes, generator).permute(0, 3, 1, 2) * 2 - 1
    facts = torch.tensor([[s.object, s.colour, s.style, s.background] for s in scenes])
    return pictures, vocabulary.rows(captions), facts


def batches(
    vocabulary: Vocabulary, size: int, generator: torch.Generator, plural: float
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Fresh lessons without end, made a hundred batches at a time."""
    while True:
        pictures, rows, facts = lessons(vocabulary, 100 * size, generator, plural)
        yield from zip(pictures.split(size), rows.split(size), facts.split(size), strict=True)


class Average:
    """Exponential moving average of the weights, its memory growing from nothing to ``keep``."""

    def __init__(self, student: nn.Module, keep: float = 0.998):
        learning = {name: weight.detach() for name, weight in student.named_parameters() if weight.requires_grad}
        self.weights = {name: weight.clone() for name, weight in learning.items()}
        self._live = list(learning.values())
        self._keep, self._steps = keep, 0

    def update(self) -> None:
        self._steps += 1
        keep = min(self._keep, self._steps / (self._steps + 10))
        torch._foreach_lerp_(list(self.weights.values()), self._live, 1 - keep)  # pyright: ignore[reportPrivateImportUsage]


def rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Learning rate: a short climb, then half a cosine down to zero."""
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(steps: int, *, seed: int, out: Path, start: Path | None = None, batch: int = 32) -> dict[str, float]:
    """Train and write the checkpoint; also every thousand steps, so that a stop loses little.

    Args:
        start: a checkpoint to go on from, gently; None begins with random weights. Of one that lacks words of the
            grammar, only the rows of these words learn.
    """
    attention = comfy.ldm.modules.attention
    attention.optimized_attention = attention.attention_basic  # the others are many times slower backwards on a CPU
    student, peak, plural, decay = Student(seed), 2e-3, PLURAL, 0.01
    if start and student.resume(start):
        plural, decay = 1.0, 0.0  # decay would reach the rows that must stay
    elif start:
        peak = 6e-4
    student.unet.to(memory_format=torch.channels_last)
    average = Average(student)
    learning = [weight for weight in student.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, peak, weight_decay=decay, fused=True)
    generator = torch.Generator().manual_seed(seed + 1)
    lessons_ahead = batches(student.vocabulary, batch, generator, plural)
    began, recent = time.time(), 0.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate(step, steps, peak)
        loss = student.loss(*next(lessons_ahead), generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        average.update()
        recent += 0.02 * (loss.item() - recent)
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} loss {recent:.4f} {time.time() - began:.0f} s", flush=True)
        if (step + 1) % 1000 == 0 or step + 1 == steps:
            save_file(student.packed(average.weights), out)
    return {"steps": steps, "batch": batch, "seconds": round(time.time() - began)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=4800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=mini.CHECKPOINT, help="elsewhere: nothing else is trained or measured"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    training = train(chosen.steps, seed=chosen.seed, out=chosen.out, start=chosen.start)
    if chosen.out == mini.CHECKPOINT:
        classifier.train()
        figures.write(training)


if __name__ == "__main__":
    main()
