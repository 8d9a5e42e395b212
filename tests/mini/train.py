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
from typing import Any

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import comfy.ldm.modules.attention
import comfy.model_sampling
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from . import classifier, figures, world
from . import model as mini

SIGHT = 0.05
"""Weight of what EOS must tell. More would push every fact into EOS."""


class Vocabulary:
    """Token ids of the host's tokenizer <-> rows of the small table that is trained."""

    def __init__(self, clip):
        self._clip = clip
        self._cache: dict[str, list[int]] = {}
        known = {token for word in world.words() for token in self._ids(word)}
        bos, eos = 49406, 49407
        self.ids = torch.tensor(sorted(known | {bos, eos}))
        self._row = {int(token): row for row, token in enumerate(self.ids)}
        self.bos, self.eos = self._row[bos], self._row[eos]

    def _ids(self, word: str) -> list[int]:
        """The tokens of one word; a sentence's tokens are those of its words, for this tokenizer splits at blanks."""
        if word not in self._cache:
            row = [token for token, _ in self._clip.tokenize(word)["l"][0]]
            self._cache[word] = row[1 : row.index(49407)]
        return self._cache[word]

    def rows(self, captions: list[str]) -> Tensor:
        """`[N, 77]` rows of the table; `len(ids)` for a stranger."""
        out = torch.full((len(captions), 77), self.eos)
        out[:, 0] = self.bos
        for line, sentence in zip(out, captions, strict=True):
            tokens = [self._row.get(token, len(self.ids)) for word in sentence.split() for token in self._ids(word)]
            kept = torch.tensor(tokens[:75], dtype=torch.long)  # only many artists in a row need more
            line[1 : 1 + len(kept)] = kept
        return out


class Text(nn.Module):
    """The host's text model with a small token table and a forward pass that autograd can follow.

    The host's own layers add in place, and its table has 49,408 rows.
    """

    def __init__(self, host: Any, words: int, generator: torch.Generator):
        super().__init__()
        self.host: Any = host.text_model
        self.heads = mini.CLIP_CONFIG["num_attention_heads"]
        self.register_buffer("mask", torch.full((77, 77), -1e9).triu(1))
        self.table = nn.Parameter(0.1 * torch.randn(words, mini.WIDTH, generator=generator))

    def forward(self, rows: Tensor) -> Tensor:
        table = torch.cat([self.table, torch.zeros(1, mini.WIDTH)])
        x = table[rows] + self.host.embeddings.position_embedding.weight
        for layer in self.host.encoder.layers:
            x = x + self._attend(layer.self_attn, layer.layer_norm1(x))
            x = x + layer.mlp(layer.layer_norm2(x))
        return self.host.final_layer_norm(x)

    def _attend(self, attention: Any, x: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        q, k, v = (split(project(x)) for project in (attention.q_proj, attention.k_proj, attention.v_proj))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + self.mask
        return attention.out_proj((scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Random weights for linears and convolutions, zero for what closes a residual branch."""
    for name, weight in module.named_parameters():
        if weight.ndim >= 2 and not name.endswith(("proj_out.weight", "out_layers.3.weight", "out.2.weight")):
            fan_in = weight[0].numel()
            weight.data.normal_(0, 1 / math.sqrt(fan_in), generator=generator)
        weight.requires_grad_(True)


class Sight(nn.Module):
    """Reads a caption's facts off its EOS, which carries them in CLIP too, by its contrastive training.

    Only a teacher: it is no part of the model.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        sizes = (len(world.OBJECTS), len(world.COLOURS), len(world.STYLES), len(world.BACKGROUNDS))
        self.read = nn.Linear(mini.WIDTH, sum(sizes))
        self.read.weight.data.normal_(0, 0.1, generator=generator)
        self.sizes = sizes

    def loss(self, eos: Tensor, facts: Tensor) -> Tensor:
        parts = self.read(eos).split(self.sizes, dim=-1)
        return torch.stack([functional.cross_entropy(p, f) for p, f in zip(parts, facts.T, strict=True)]).sum()


def lessons(vocabulary: Vocabulary, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures `[N, 3, 16, 16]` in -1..1, token rows `[N, 77]`, facts `[N, 4]`."""
    scenes, captions = world.lessons(count, generator)
    pictures = world.render_all(scenes, generator).permute(0, 3, 1, 2) * 2 - 1
    facts = torch.tensor([[s.object, s.colour, s.style, s.background] for s in scenes])
    return pictures, vocabulary.rows(captions), facts


def batches(vocabulary: Vocabulary, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Fresh lessons without end, made a hundred batches at a time."""
    while True:
        pictures, rows, facts = lessons(vocabulary, 100 * size, generator)
        yield from zip(pictures.split(size), rows.split(size), facts.split(size), strict=True)


def diffuse(pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(noisy picture, timestep, the v it should answer with), on the host's own noise schedule."""
    sigmas: Any = comfy.model_sampling.ModelSamplingDiscrete().sigmas
    timestep = torch.randint(len(sigmas), (len(pictures),), generator=generator)
    sigma = sigmas[timestep].view(-1, 1, 1, 1)
    alpha = (1 + sigma**2).rsqrt()
    noise = torch.randn(pictures.shape, generator=generator)
    return alpha * (pictures + sigma * noise), timestep, alpha * (noise - sigma * pictures)


class Student(nn.Module):
    """Everything that learns: text model, diffusion model, and the reader of EOS that is thrown away at the end."""

    def __init__(self, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        model, clip, _ = mini.build()
        host = mini.text_model(clip)
        self.vocabulary = Vocabulary(clip)
        self.unet = mini.diffusion_model(model)
        initialise(self.unet, generator)
        initialise(host.text_model.encoder, generator)
        host.text_model.embeddings.position_embedding.weight.data.normal_(0, 0.1, generator=generator)
        host.requires_grad_(True)
        host.text_model.embeddings.token_embedding.requires_grad_(False)
        self.host: Any = host
        self.text = Text(host, len(self.vocabulary.ids), generator)
        self.sight = Sight(generator)

    def loss(self, pictures: Tensor, rows: Tensor, facts: Tensor, generator: torch.Generator) -> Tensor:
        """Error of v, plus a little of what the reader of EOS got wrong."""
        noisy, timestep, answer = diffuse(pictures, generator)
        with torch.autocast("cpu", torch.bfloat16):
            context = self.text(rows)
            predicted = self.unet(noisy, timestep.float(), context=context)
        first_eos = (rows == self.vocabulary.eos).int().argmax(1)
        told = self.sight.loss(context[torch.arange(len(rows)), first_eos].float(), facts)
        return functional.mse_loss(predicted.float(), answer) + SIGHT * told

    def packed(self, average: dict[str, Tensor]) -> dict[str, Tensor]:
        """The checkpoint, from averaged weights named as `named_parameters` names them."""
        unet = {key.removeprefix("unet."): value for key, value in average.items() if key.startswith("unet.")}
        text = {key.removeprefix("host."): value for key, value in average.items() if key.startswith("host.")}
        text["text_projection.weight"] = self.host.text_projection.weight
        return mini.pack(unet, text | {mini.EMBEDDING: average["text.table"]}, self.vocabulary.ids)


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


def train(steps: int, *, seed: int, out: Path, batch: int = 32, peak: float = 2e-3) -> dict[str, float]:
    """Train and write the checkpoint; also every thousand steps, so that a stop loses little."""
    attention = comfy.ldm.modules.attention
    attention.optimized_attention = attention.attention_basic  # the others are many times slower backwards on a CPU
    student = Student(seed)
    student.unet.to(memory_format=torch.channels_last)
    average = Average(student)
    learning = [weight for weight in student.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, peak, weight_decay=0.01, fused=True)
    generator = torch.Generator().manual_seed(seed + 1)
    lessons_ahead = batches(student.vocabulary, batch, generator)
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=mini.CHECKPOINT, help="elsewhere: nothing else is trained or measured"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    training = train(chosen.steps, seed=chosen.seed, out=chosen.out)
    if chosen.out == mini.CHECKPOINT:
        classifier.train()
        figures.write(training)


if __name__ == "__main__":
    main()
