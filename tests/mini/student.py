"""What learns: the text model with a small token table, the diffusion model, and a reader of EOS as their teacher."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import comfy.model_sampling
import torch
from safetensors.torch import load_file
from torch import Tensor, autocast, nn
from torch.nn import Linear, functional

from . import model as mini
from . import world

SIGHT = 0.05
"""Weight of what EOS must tell. More would push every fact into EOS."""

MISLED = 0.4
"""Share of lessons in which half the words name other colours and shapes than EOS and padding, which are right.

A word of a causal encoder does not know those behind it. Stable Diffusion therefore goes by EOS and padding where they
disagree with a word; without such lessons the mini model would go by the word.
"""


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
        words = ((self._ids(name), self._ids(plural)) for name, plural in world.PLURALS.items())
        self.plurals = [(self._row[plural[-1]], self._row[name[-1]]) for name, plural in words]
        """Rows of the last token of each plural and of its name."""
        self._kinds = [self._rows_of(names) for names in (world.COLOURS, world.SHAPES)]

    def _rows_of(self, names: tuple[str, ...]) -> Tensor:
        """Rows of the names and their synonyms that are one token each."""
        words = [word for name in names for word in (name, *world.SYNONYMS.get(name, ()))]
        words += [world.PLURALS[word] for word in words if word in world.PLURALS]
        return torch.tensor([self._row[ids[0]] for word in words if len(ids := self._ids(word)) == 1])

    def misleading(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The same sentences with every colour and every shape named as another one."""
        other = torch.arange(len(self.ids) + 1)
        for kind in self._kinds:
            other[kind] = kind.roll(int(torch.randint(1, len(kind), (), generator=generator)))
        return other[rows]

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
        self.read = Linear(mini.WIDTH, sum(sizes))
        self.read.weight.data.normal_(0, 0.1, generator=generator)
        self.sizes = sizes

    def loss(self, eos: Tensor, facts: Tensor) -> Tensor:
        parts = self.read(eos).split(self.sizes, dim=-1)
        return torch.stack([functional.cross_entropy(p, f) for p, f in zip(parts, facts.T, strict=True)]).sum()


def diffuse(
    pictures: Tensor, generator: torch.Generator, timestep: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(noisy picture, timestep, the v it should answer with), on the host's own noise schedule.

    Args:
        timestep: of each picture; None draws them, all alike.
    """
    sigmas: Any = comfy.model_sampling.ModelSamplingDiscrete().sigmas
    if timestep is None:
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
        first_eos = (rows == self.vocabulary.eos).int().argmax(1)
        misled = round(MISLED * len(rows))
        with autocast("cpu", torch.bfloat16):
            context = self.text(rows)
            words = self.text(self.vocabulary.misleading(rows[:misled], generator))
            lies = torch.arange(rows.shape[1]) < first_eos[:misled, None]
            lies &= torch.rand(lies.shape, generator=generator) < 0.5
            mixed = torch.cat([torch.where(lies[..., None], words, context[:misled]), context[misled:]])
            predicted = self.unet(noisy, timestep.float(), context=mixed)
        told = self.sight.loss(context[torch.arange(len(rows)), first_eos].float(), facts)
        return functional.mse_loss(predicted.float(), answer) + SIGHT * told

    def resume(self, checkpoint: Path) -> bool:
        """Take the weights of a checkpoint.

        If the grammar has words that the checkpoint does not know, their rows of the table learn and nothing else does:
        what the checkpoint draws without them stays the same, bit by bit.

        Returns:
            Whether there are such words.

        Raises:
            ValueError: it knows words that the grammar no longer has.
        """
        stored = load_file(checkpoint)
        known = torch.isin(self.vocabulary.ids, stored["token_ids"])
        if not torch.equal(self.vocabulary.ids[known], stored["token_ids"]):
            raise ValueError(f"{checkpoint} knows words that captions.py no longer writes. Train from the beginning.")
        self.text.table.data[known] = stored.pop(f"clip.{mini.EMBEDDING}").float()
        self.unet.load_state_dict(mini.part(stored, "unet."))
        self.host.load_state_dict(mini.part(stored, "clip."), strict=False)
        if known.all():
            return False
        self.unet.requires_grad_(False)
        self.host.requires_grad_(False)
        self.text.table.register_hook(lambda gradient: gradient * ~known[:, None])
        for plural, name in self.vocabulary.plurals:  # a word learns sooner near one of its meaning
            if not known[plural]:
                self.text.table.data[plural] += self.text.table.data[name]
        return True

    def packed(self, average: dict[str, Tensor]) -> dict[str, Tensor]:
        """The checkpoint, from averaged weights named as `named_parameters` names them; the rest as they stand."""
        weights = {name: weight.detach() for name, weight in self.named_parameters()} | average
        text = mini.part(weights, "host.") | {mini.EMBEDDING: weights["text.table"]}
        text["text_projection.weight"] = self.host.text_projection.weight
        return mini.pack(mini.part(weights, "unet."), text, self.vocabulary.ids)
