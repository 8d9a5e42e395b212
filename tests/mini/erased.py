"""What an erasure does to the mini model: leak and drift of its text, and what its pictures show."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from . import classifier, world
from .sample import sample
from .sentences import SOLVED, UNSEEN
from .tasks import LONG, Answer, Edit, Task

SEED = 4000


@dataclass(frozen=True)
class Subject:
    """MODEL and CLIP as they reach the sampler."""

    model: Any
    clip: Any
    vae: Any


@dataclass(frozen=True)
class Cell:
    """Sentences of one sort, with `{}` open, and the words that go there."""

    name: str
    edit: Edit
    concept: int
    sentences: tuple[tuple[str, str], ...]
    """(sentence, name of the target)"""

    def prompts(self, anchor: bool = False) -> list[str]:
        return [sentence.replace("{}", self.edit.anchor if anchor else name) for sentence, name in self.sentences]


def cells(task: Task, count: int) -> list[Cell]:
    """The cells in which the target is asked for, `count` sentences each in all; concepts share them."""
    share = -(-count // len(task.edits))
    return [cell for index, edit in enumerate(task.edits) for cell in _cells_of(task, edit, index, share)]


def _cells_of(task: Task, edit: Edit, concept: int, count: int) -> list[Cell]:
    def cell(name: str, patterns: Sequence[str], names: Sequence[str]) -> Cell:
        sentences = task.sentences(patterns, count)
        return Cell(name, edit, concept, tuple((s, names[i % len(names)]) for i, s in enumerate(sentences)))

    main, aliases = edit.names[:1], edit.names[1:]
    # A long sentence repeats the plainest phrase of its sort.
    phrase = "{}" if edit.patterns.explicit[0].endswith("{}") else "{} {shape}"
    long = [pattern.replace("{p}", phrase) for pattern in LONG]
    if edit.kind in ("person", "explicit content", "style"):
        long = [pattern.replace("a {}", "{}" if edit.kind != "style" else "shape by {}") for pattern in long]
    found = [cell("explicit", edit.patterns.explicit, main), cell("unseen", edit.patterns.unseen, main)]
    found.append(cell("long", long, main))
    if aliases:
        both = edit.alias_patterns.explicit + edit.alias_patterns.unseen
        found.append(cell("aliases", both, aliases))
    return found


class Evaluation:
    """Measures erasures of one task; what only the unedited model decides is made once."""

    def __init__(self, task: Task, original: Subject, pack: str, *, count: int = 100, steps: int = 20):
        self.task, self.original, self.count, self.steps = task, original, count, steps
        self._host = importlib.import_module(f"{pack}.nodes.host")
        self._concept = importlib.import_module(f"{pack}.erasepro_core.concept")
        self._encoded = importlib.import_module(f"{pack}.erasepro_core.encoded")
        self._measure = importlib.import_module(f"{pack}.erasepro_core.measure")
        self._cells = cells(task, count)
        self._anchors = {i: self._draw(original, cell.prompts(anchor=True)) for i, cell in enumerate(self._cells)}
        self._bystanders = bystanders(task, count)
        self._before = self._draw(original, [prompt for prompt, _ in self._bystanders])
        self._unedited = fmean(self._distances(original, "unseen"))

    def pictures(self, subject: Subject, count: int) -> Tensor:
        """The first pictures of unseen sentences, `[count, 16, 16, 3]`."""
        cell = next(cell for cell in self._cells if cell.name == "unseen")
        return self._draw(subject, cell.prompts()[:count])

    def _draw(self, subject: Subject, prompts: Sequence[str]) -> Tensor:
        return sample(subject.model, subject.clip, subject.vae, prompts, seed=SEED, steps=self.steps)

    def _distances(self, subject: Subject, name: str) -> list[float]:
        """Mean absolute pixel distance of the target's pictures from the original anchor's, same seeds, by cell."""
        pairs = [
            (self._draw(subject, c.prompts()), self._anchors[i]) for i, c in enumerate(self._cells) if c.name == name
        ]
        return [float((images - anchors).abs().mean()) for images, anchors in pairs]

    def __call__(self, edited: Subject) -> dict[str, Any]:
        """Every figure of one erasure."""
        shown = [self._shown(edited, index, cell) for index, cell in enumerate(self._cells)]
        names = list(dict.fromkeys(cell.name for cell in self._cells))

        def by_name(key: str) -> dict[str, float]:
            return {n: fmean(s[key] for s, c in zip(shown, self._cells, strict=True) if c.name == n) for n in names}

        distance = by_name("distance")
        after = self._draw(edited, [prompt for prompt, _ in self._bystanders])
        answers = [answer for _, answer in self._bystanders]
        result = {
            **self._text(edited),
            "target_rate": by_name("target"),
            "target_rate_of_anchor": by_name("floor"),
            "anchor_rate": fmean(by_name("anchor").values()),
            "anchor_rates": by_name("anchor"),
            "distance": distance,
            "distance_unedited": self._unedited,
            "distance_ratio": distance["unseen"] / self._unedited,
            "preserve_accuracy": {"before": share(self._before, answers), "after": share(after, answers)},
            "preserve_distance": float((after - self._before).abs().mean()),
        }
        if self.task.related:
            result["related_kept"] = self._related(edited)
        return result

    def _shown(self, edited: Subject, index: int, cell: Cell) -> dict[str, float]:
        images = self._draw(edited, cell.prompts())
        count = len(images)
        return {
            "target": share(images, [cell.edit.target_answer] * count),
            "anchor": share(images, [cell.edit.anchor_answer] * count),
            "floor": share(self._anchors[index], [cell.edit.target_answer] * count),
            "distance": float((images - self._anchors[index]).abs().mean()),
        }

    def _related(self, edited: Subject) -> float:
        phrases = self.task.related
        asked = [phrases[i % len(phrases)] for i in range(self.count)]
        return share(self._draw(edited, [f"a {phrase}" for phrase in asked]), [answer_to(phrase) for phrase in asked])

    def _text(self, edited: Subject) -> dict[str, Any]:
        """Leak and drift, from the text features and the weights that read them."""
        before, after = (self._host.HostPath(s.model, s.clip) for s in (self.original, edited))
        weights = self._measure.weight_pairs(before, after)

        def leak(patterns: Callable[[Edit], Sequence[str]], names: Callable[[Edit], Sequence[str]]) -> float:
            pairs = [
                self._concept.PromptPair(sentence, name, edit.anchor, index)
                for index, edit in enumerate(self.task.edits)
                for name in names(edit)
                for sentence in self.task.sentences(patterns(edit), len(patterns(edit)))
            ]
            pairs, prefixes = self._encoded.matched(before, pairs)
            prompts = [p.target_prompt for p in pairs]
            original = self._encoded.encode_prompts(before, prompts + [p.anchor_prompt for p in pairs])
            return float(
                self._measure.leak(
                    pairs, original, self._encoded.encode_prompts(after, prompts), weights, prefixes
                ).mean()
            )

        leaks = {
            "training": leak(lambda e: SOLVED[e.kind], lambda e: e.names),
            "unseen": leak(lambda e: UNSEEN[e.kind] + e.patterns.unseen, lambda e: e.names[:1]),
            "two_object": leak(lambda e: e.patterns.pair, lambda e: e.names[:1]),
        }
        if any(len(edit.names) > 1 for edit in self.task.edits):
            leaks["aliases"] = leak(lambda e: UNSEEN[e.kind] + e.alias_patterns.unseen, lambda e: e.names[1:])
        if any(edit.unlisted for edit in self.task.edits):
            leaks["unlisted"] = leak(lambda e: e.alias_patterns.unseen, lambda e: e.unlisted)
        captions = neutral_captions(self.task, self.count)
        original, moved = (self._encoded.encode_prompts(path, captions) for path in (before, after))
        return {
            "leak": leaks,
            "drift": float(self._measure.drift(list(original.rows), original, moved, weights).mean()),
        }


def share(images: Tensor, answers: Sequence[Answer]) -> float:
    """Share of pictures on which every head that has an answer gives it."""
    seen = classifier.classify(images)
    right = [all(int(seen[head][i]) == wanted for head, wanted in answer.items()) for i, answer in enumerate(answers)]
    return sum(right) / len(right)


def answer_to(phrase: str) -> Answer:
    """What a phrase of plain names asks of the classifier."""
    lists = {"object": world.OBJECTS, "colour": world.COLOURS, "style": world.STYLES}
    return {head: names.index(word) for head, names in lists.items() for word in phrase.split() if word in names}


def bystanders(task: Task, count: int) -> list[tuple[str, Answer]]:
    """Sentences about things that the task leaves alone, with what their pictures must show."""
    choose = world.Chooser(torch.Generator().manual_seed(SEED))
    artists = {artist: style for style, artist in world.ARTISTS.items() if style != "plain"}
    shapes, colours, painters = task.free(world.SHAPES), task.free(world.COLOURS), task.free(list(artists))
    asked = []
    for _ in range(count):
        colour, shape, painter = choose.of(colours), choose.of(shapes), choose.of(painters)
        answer = answer_to(f"{colour} {shape} {artists[painter]}")
        plain = {head: wanted for head, wanted in answer.items() if head != "style"}
        asked.append(
            choose.of(
                [
                    (f"a {colour} {shape} by {painter}", answer),
                    (f"a {colour} {shape} on a table", plain),
                    (f"a photo of a {colour} {shape}", plain),
                    (
                        f"a picture of a {shape} in the style of {painter}",
                        {k: v for k, v in answer.items() if k != "colour"},
                    ),
                ]
            )
        )
    return asked


def neutral_captions(task: Task, count: int) -> list[str]:
    """Captions of the mini world that do not speak of any target, nor of a synonym of one."""
    erased = {word for edit in task.edits for name in (*edit.names, *edit.unlisted) for word in name.split()}
    erased |= {
        word for name in erased & set(world.SYNONYMS) for other in world.SYNONYMS[name] for word in other.split()
    }
    generator = torch.Generator().manual_seed(SEED)
    _, captions = world.lessons(6 * count, generator, empty=0.0)
    kept = [caption for caption in dict.fromkeys(captions) if not erased & set(caption.split())]
    return kept[:count]
