"""The recipe: encodes some thousand captions once, trains the diffusion model on them, then the classifier.

Writes ``model.safetensors``, ``classifier.safetensors`` and ``figures.json``. README.md here says how long it took.

Run it from the repository root, after ``make setup``::

    build/venv/bin/python -m tests.words.train
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import comfy.ldm.modules.attention
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from tests.mini.student import diffuse
from tests.mini.train import Average

from . import classifier, figures
from . import model as words
from .captions import Chooser, Lesson, lessons, surrounded
from .draw import render_all
from .names import COLOURS, OBJECTS, Scene

EMPTY = 0.1
"""Share of lessons without a caption."""
TIMESTEPS = 1000
NOISIER = 1.5
"""1 would draw all timesteps alike; more prefers noisy ones, where a picture is decided."""
NAMED = 0.1
"""Weight of what the middle block must name."""
MIDDLE = 96 * 4 * 4
"""Numbers that the middle block gives for a picture."""
UNSAID = -100
Facts = Mapping[str, Tensor]
"""By head of the classifier, the right answer `[N]`; `UNSAID` where a caption leaves it open."""


class School(IterableDataset[tuple[Tensor, Tensor, Facts]]):
    """Fresh pictures of what a fixed set of captions says, without end; each worker has lessons of its own."""

    def __init__(self, lessons: list[Lesson], seed: int, size: int):
        super().__init__()
        self._lessons, self._seed, self._size = lessons, seed, size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Facts]]:
        """Pictures `[N, 3, 32, 32]` in -1..1, which caption each has `[N]`, and what it says.

        The number behind the last caption is the empty one.
        """
        worker = get_worker_info()
        generator = torch.Generator().manual_seed(self._seed + 1 + (worker.id if worker else 0))
        choose = Chooser(generator)
        while True:
            order = torch.randperm(len(self._lessons), generator=generator)
            for part in order.split(20 * self._size):
                scenes = [_scene(self._lessons[index], choose) for index in part.tolist()]
                pictures = render_all(scenes, generator).permute(0, 3, 1, 2) * 2 - 1
                shuffled = torch.randperm(len(part), generator=generator)
                for rows in shuffled.split(self._size):
                    empty = torch.rand(len(rows), generator=generator) < EMPTY
                    told = [self._lessons[index].told for index in part[rows].tolist()]
                    facts = _facts([scenes[row] for row in rows.tolist()], told, empty)
                    yield pictures[rows], part[rows].masked_fill(empty, len(self._lessons)), facts


def _scene(lesson: Lesson, choose: Chooser) -> Scene:
    """The lesson's scene; what its caption leaves open is drawn anew."""
    fresh = {"object": choose.below(len(OBJECTS)), "colour": choose.below(len(COLOURS))}
    return replace(lesson.scene, **{head: value for head, value in fresh.items() if head not in lesson.told})


def _facts(scenes: list[Scene], told: list[frozenset[str]], empty: Tensor) -> Facts:
    """What each caption says of its scene; `UNSAID` where it does not."""

    def answer(head: str, n: int) -> int:
        return getattr(scenes[n], head) if head in told[n] and not empty[n] else UNSAID

    return {head: torch.tensor([answer(head, n) for n in range(len(scenes))]) for head in classifier.HEADS}


class Namer(nn.Module):
    """Names what the caption says from the UNet's middle block, so that the block learns to read; thrown away after."""

    def __init__(self, unet: nn.Module, generator: torch.Generator):
        super().__init__()
        block: Any = unet.get_submodule("middle_block")
        block[-1].register_forward_hook(lambda module, args, output: self._seen.append(output.flatten(1)))
        self._seen: list[Tensor] = []
        self.heads = nn.ModuleDict({name: nn.Linear(MIDDLE, size) for name, size in classifier.HEADS.items()})
        for weight in self.parameters():
            weight.data.normal_(0, MIDDLE**-0.5, generator=generator)

    def forward(self, facts: Facts) -> Tensor:
        """The loss on what was said in the UNet's latest forward pass."""
        seen, losses = self._seen.pop(), []
        for name, head in self.heads.items():
            if (facts[name] != UNSAID).any():
                losses.append(functional.cross_entropy(head(seen), facts[name], ignore_index=UNSAID))
        return torch.stack(losses).sum() if losses else seen.new_zeros(())


def encode(clip: Any, captions: list[str], device: str, longest: int = 64) -> Tensor:
    """Features `[N, 64, 384]` in float16 on the device: what is further behind is padding, and zero.

    Captions of like length go together, cut behind the longest: the encoder masks padding, so nothing else changes.

    Raises:
        ValueError: a caption is longer.
    """
    rows = [clip.tokenize(caption)[words.NAME][0] for caption in captions]
    lengths = [next(place for place, (token, _) in enumerate(row) if token == words.END) + 1 for row in rows]
    if max(lengths) > longest:
        raise ValueError(f"{captions[lengths.index(max(lengths))]!r} has more than {longest} tokens. Shorten it.")
    encoder = clip.cond_stage_model.to(device)
    features = torch.zeros(len(captions), longest, words.WIDTH, dtype=torch.float16, device=device)
    order = sorted(range(len(captions)), key=lengths.__getitem__)
    for first in range(0, len(order), 100):
        part = order[first : first + 100]
        width = lengths[part[-1]]
        with torch.no_grad():
            done = encoder.encode_token_weights({words.NAME: [rows[index][:width] for index in part]})[0]
        features[part, :width] = done.unflatten(1, (len(part), width))[0].to(features)
    return features


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Random weights for linears and convolutions, zero for what closes a residual branch."""
    for name, weight in module.named_parameters():
        closing = name.endswith(("proj_out.weight", "out_layers.3.weight", "out.2.weight"))
        if weight.ndim >= 2:
            scale = 0.0 if closing else 1 / math.sqrt(weight[0].numel())
            weight.data.normal_(0, 1, generator=generator).mul_(scale)
        else:
            owner = module.get_submodule(name.rpartition(".")[0])
            norm = isinstance(owner, nn.LayerNorm | nn.GroupNorm) and name.endswith("weight")
            weight.data.fill_(1.0 if norm else 0.0)
        weight.requires_grad_(True)


def rate(share: float, peak: float) -> float:
    """Learning rate when a share of the work is done: a short climb, then half a cosine down to zero."""
    return peak * min(1.0, share / 0.02 + 0.02) * 0.5 * (1 + math.cos(math.pi * share))


def train(how: argparse.Namespace) -> dict[str, Any]:
    """Train and write the UNet; also every thousand steps, so that a stop loses little.

    Args:
        how: as the command line gives it.
    """
    attention = comfy.ldm.modules.attention
    on_cpu = how.device == "cpu"
    # the others are many times slower backwards on a CPU
    attention.optimized_attention = attention.attention_basic if on_cpu else attention.attention_pytorch
    torch.backends.cuda.matmul.allow_tf32 = True
    generator = torch.Generator().manual_seed(how.seed)
    began = time.time()
    asked = lessons(how.captions, how.seed)
    choose = Chooser(torch.Generator().manual_seed(how.seed + 1))
    captions = [surrounded(choose, lesson.caption) for lesson in asked]
    features = encode(words.build_clip(), [*captions, ""], how.device)
    print(f"{how.captions} captions encoded in {time.time() - began:.0f} s", flush=True)
    unet = words.diffusion_model(words.build_model())
    initialise(unet, generator)
    if how.start:
        unet.load_state_dict(load_file(how.start))
    namer = Namer(unet, generator).to(how.device)
    unet.to(how.device, memory_format=torch.channels_last)
    average = Average(unet)
    optimizer = torch.optim.AdamW([*unet.parameters(), *namer.parameters()], how.peak, weight_decay=0.01, fused=True)
    batches = iter(DataLoader(School(asked, how.seed, how.batch), batch_size=None, num_workers=how.workers))
    scale: Any = words.FaintPixels().process_in
    recent = torch.ones((), device=how.device)
    for step in range(1, how.steps + 1):
        pictures, rows, facts = next(batches)
        timestep = (torch.rand(len(pictures), generator=generator) ** (1 / NOISIER) * TIMESTEPS).long()
        lot = (each.to(how.device) for each in diffuse(scale(pictures), generator, timestep))
        noisy, timestep, answer = lot
        context = functional.pad(features[rows.to(how.device)].float(), (0, 0, 0, words.CHUNK - features.shape[1]))
        loss = functional.mse_loss(unet(noisy, timestep.float(), context=context), answer)
        optimizer.param_groups[0]["lr"] = rate(step / how.steps, how.peak)
        optimizer.zero_grad()
        (loss + NAMED * namer({head: fact.to(how.device) for head, fact in facts.items()})).backward()
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        average.update()
        recent.lerp_(loss.detach(), 0.02)
        if step % 100 == 0:
            print(f"step {step} loss {recent.item():.4f} {time.time() - began:.0f} s", flush=True)
        if step % 1000 == 0 or step == how.steps:
            save_file({name: weight.half().cpu().contiguous() for name, weight in average.weights.items()}, how.out)
    device = torch.cuda.get_device_name() if how.device == "cuda" else how.device
    return {"steps": how.steps, "batch": how.batch, "device": device, "seconds": round(time.time() - began)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--captions", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--peak", type=float, default=2e-3, help="the highest learning rate")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw pictures; 0: this one draws")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=words.CHECKPOINT, help="elsewhere: nothing else is trained or measured"
    )
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    training = train(asked)
    if asked.out == words.CHECKPOINT:
        classifier.train()
        figures.write(training)


if __name__ == "__main__":
    main()
