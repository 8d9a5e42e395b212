"""What an erasure does to this model: leak and drift of its text, and what its pictures show."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from tests.mini.erased import Subject

from . import classifier, world
from .sample import sample
from .tasks import PROBES, Edit, Task, sentences

SEED = 4000


@dataclass(frozen=True)
class Asked:
    """One sentence of a probe, with `{}` open, and the word that goes there."""

    edit: Edit
    concept: int
    sentence: str
    word: str

    @property
    def prompt(self) -> str:
        return self.sentence.replace("{}", self.word)


def probes(task: Task, count: int, outside: Sequence[str] = ()) -> dict[str, list[Asked]]:
    """`count` sentences of each probe that the task has words for; the concepts share them."""
    share = -(-count // len(task.edits))
    found = {
        probe: [Asked(e, i, s, w) for i, e in enumerate(task.edits) for s, w in sentences(e, probe, share, seed=i)]
        for probe in PROBES
    }
    found["outside"] = [Asked(e, i, s, e.names[0]) for i, e in enumerate(task.edits) for s in said(e, outside)[:share]]
    return {probe: asked for probe, asked in found.items() if asked}


def said(edit: Edit, captions: Sequence[str]) -> list[str]:
    """Captions that say the first name, with `{}` in its place."""
    name = re.compile(rf"\b{re.escape(edit.names[0])}\b", re.IGNORECASE)
    return [name.sub("{}", caption) for caption in captions if name.search(caption)]


def groups(task: Task, count: int, outside: Sequence[str] = ()) -> dict[str, list[str]]:
    """Prompts that must not move: captions, words near the targets, what else is drawn of their kind, and painters who
    are in no list."""
    plain = [lesson.caption for lesson in untouched(task, count)]
    near, same = [], []
    for index, edit in enumerate(task.edits):
        open_ones = [sentence for sentence, _ in sentences(edit, "held out", 2, seed=100 + index)]
        near += [s.replace("{}", word) for word in edit.neighbours for s in open_ones]
        same += [s.replace("{}", word) for word in siblings(task, edit) for s in open_ones]
    names = [
        name
        for edit in task.edits
        for name in (*edit.names, *edit.unlisted, edit.plural, edit.plural_anchor, edit.anchor)
        if name
    ]
    mention = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names), re.IGNORECASE)
    found = {"captions": plain, "neighbours": near, "same kind": same}
    style = next((edit for edit in task.edits if edit.kind == "style"), None)
    if style is not None:
        by, _ = sentences(style, "held out", 1, seed=100)[0]
        found["strangers"] = [by.replace("{}", name) for name in world.STRANGERS]
    found["outside"] = [caption for caption in outside if not mention.search(caption)]
    return {name: _spread(prompts, count) for name, prompts in found.items() if prompts}


def _spread(prompts: Sequence[str], count: int) -> list[str]:
    """At most `count` of them, from beginning to end."""
    unique = list(dict.fromkeys(prompts))
    return unique[:: -(-len(unique) // count)]


def siblings(task: Task, edit: Edit) -> list[str]:
    """Trained names of the same kind that the task leaves alone."""
    used = {name for each in task.edits for name in (*each.names, each.anchor.removeprefix("a "))}
    if edit.kind == "style":
        alike: Sequence[str] = tuple(world.PAINTERS.values())
    elif edit.colours or set(edit.target) == {"colour"}:
        thing = edit.names[0].partition(" ")[2]
        alike = [f"{colour} {thing}".strip() for colour in world.COLOURS]
    else:
        alike = next((kind for kind in world.KINDS if edit.names[0] in kind), world.THINGS)
    return [name for name in alike if name not in used]


def untouched(task: Task, count: int) -> list[world.Lesson]:
    """Sentences of held-out structure that say nothing of the task."""
    lessons = world.lessons(20 * count, SEED, world.HELD_OUT)
    return [lesson for lesson in lessons if not task.touches(lesson)][:count]


class Evaluation:
    """Measures erasures of one task against the unedited model, in all probes or in some."""

    def __init__(
        self,
        task: Task,
        original: Subject,
        pack: str,
        *,
        count: int,
        steps: int,
        outside: Sequence[str] = (),
        pictures: bool = True,
        only: Sequence[str] = (),
    ):
        self.task, self.original, self.steps, self.pictures = task, original, steps, pictures
        self._host = importlib.import_module(f"{pack}.nodes.host")
        self._concept = importlib.import_module(f"{pack}.erasepro_core.concept")
        self._encoded = importlib.import_module(f"{pack}.erasepro_core.encoded")
        self._measure = importlib.import_module(f"{pack}.erasepro_core.measure")
        self._probes = {p: asked for p, asked in probes(task, count, outside).items() if not only or p in only}
        self._groups = groups(task, 4 * count, outside)
        self._others = untouched(task, 2 * count)
        self._before = self._host.HostPath(original.model, original.clip)
        self._encoded_before: dict[str, Any] = {}

    def __call__(self, edited: Subject) -> dict[str, Any]:
        """Figures of one erasure, by probe and by group."""
        after = self._host.HostPath(edited.model, edited.clip)
        weights = self._measure.weight_pairs(self._before, after)
        leaks = {probe: self._leaks(probe, after, weights) for probe in self._probes}
        return {
            "leak": {probe: fmean(left for _, left in each) for probe, each in leaks.items()},
            "leak_by_name": {probe: _means(each) for probe, each in leaks.items()},
            "drift": {group: self._drift(group, after, weights) for group in self._groups},
            "shown": {probe: self._shown(asked, edited) for probe, asked in self._probes.items()},
            "others_right": self._others_right(edited) if self.pictures else None,
        }

    def _leaks(self, probe: str, after: Any, weights: Any) -> list[tuple[str, float]]:
        """The word of every sentence of a probe, and what is left of it there."""
        asked = self._probes[probe]
        pairs = [self._concept.PromptPair(a.sentence, a.word, a.edit.becomes(probe), a.concept) for a in asked]
        pairs, prefixes = self._encoded.matched(self._before, pairs)
        prompts = [pair.target_prompt for pair in pairs]
        original = self._original(probe, prompts + [pair.anchor_prompt for pair in pairs])
        edited = self._encoded.encode_prompts(after, prompts)
        left = self._measure.leak(pairs, original, edited, weights, prefixes)
        return list(zip((a.word for a in asked), left.tolist(), strict=True))

    def _drift(self, group: str, after: Any, weights: Any) -> float:
        prompts = self._groups[group]
        original, moved = self._original(f"{group}, drift", prompts), self._encoded.encode_prompts(after, prompts)
        return float(self._measure.drift(prompts, original, moved, weights).mean())

    def _original(self, name: str, prompts: Sequence[str]) -> Any:
        """What the unedited model makes of a probe's or a group's prompts, encoded once for all methods."""
        if name not in self._encoded_before:
            self._encoded_before[name] = self._encoded.encode_prompts(self._before, prompts)
        return self._encoded_before[name]

    def _shown(self, asked: Sequence[Asked], edited: Subject) -> dict[str, float]:
        """Shares of pictures that show the target and the anchor, of what this world draws."""
        drawn = [each for each in asked if each.edit.target and self.pictures]
        if not drawn:
            return {}
        images = self._draw(edited, [each.prompt for each in drawn])
        rates = {"target_rate": _share(images, [each.edit.target for each in drawn])}
        if all(each.edit.instead for each in drawn):
            rates["anchor_rate"] = _share(images, [each.edit.instead for each in drawn])
        return rates

    def _others_right(self, edited: Subject) -> float:
        images = self._draw(edited, [lesson.caption for lesson in self._others])
        return _share(images, [lesson.answers() for lesson in self._others])

    def _draw(self, subject: Subject, prompts: Sequence[str]) -> torch.Tensor:
        return sample(subject.model, subject.clip, subject.vae, prompts, seed=SEED, steps=self.steps)


def _means(leaks: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The mean of every word's leaks."""
    words: dict[str, list[float]] = {}
    for word, left in leaks:
        words.setdefault(word, []).append(left)
    return {word: fmean(each) for word, each in words.items()}


def _share(images: torch.Tensor, answers: Sequence[dict[str, int]]) -> float:
    return float(classifier.right(images, answers).float().mean())
