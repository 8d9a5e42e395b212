# pyright: reportCallIssue=false
"""The mini model does what its card says. Every test runs on the shipped checkpoint."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from . import classifier, figures, model, world
from .sample import sample

COUNT = 150
BAR = 0.98
HARDEST = 0.95
"""Least share on one sort of sentence alone: 150 pictures tell no finer."""


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any, Any]:
    return model.load()


def right(parts, name: str, *, steps: int = 20) -> dict[str, torch.Tensor]:
    """For each head, which of the pictures that it was asked about are right."""
    lines = figures.asks(figures.SETS[name], COUNT, seed=31)
    seen = classifier.classify(sample(*parts, [prompt for prompt, _ in lines], seed=31, steps=steps))
    wanted = figures.wanted(lines)
    return {head: (seen[head] == answer)[answer >= 0] for head, answer in wanted.items() if (answer >= 0).any()}


@pytest.fixture(scope="module")
def pictures(parts) -> dict[str, dict[str, torch.Tensor]]:
    return {name: right(parts, name) for name in figures.SETS}


def shares(answers: dict[str, torch.Tensor]) -> dict[str, float]:
    return {head: each.float().mean().item() for head, each in answers.items()}


def test_pictures_show_what_the_sentence_names(pictures):
    heads = {head for answers in pictures.values() for head in answers}
    scores = shares({h: torch.cat([a[h] for a in pictures.values() if h in a]) for h in heads})
    assert all(share >= BAR for share in scores.values()), scores


@pytest.mark.parametrize("name", figures.SETS)
def test_no_sort_of_sentence_is_left_behind(pictures, name):
    scores = shares(pictures[name])
    assert all(share >= HARDEST for share in scores.values()), scores


def test_ten_steps_are_enough(parts):
    scores = shares(right(parts, "trained", steps=10))
    assert all(share >= BAR for share in scores.values()), scores


def test_the_sentence_decides_and_not_the_noise(parts):
    images = sample(*parts, ["a red circle", "a blue star"] * 8, seed=5)
    seen = classifier.classify(images)["object"].view(8, 2)
    assert (seen == torch.tensor([world.OBJECTS.index("circle"), world.OBJECTS.index("star")])).all()


def test_the_same_seed_gives_the_same_picture_whatever_stands_beside_it(parts):
    prompts = ["a red circle", "Ada by Hokusai", "a blue square next to a green star"]
    together = sample(*parts, prompts, seed=40, steps=5)
    torch.testing.assert_close(sample(*parts, prompts, seed=40, steps=5), together, rtol=0, atol=0)
    alone = sample(*parts, prompts[1:2], seed=41, steps=5)
    torch.testing.assert_close(alone, together[1:2], rtol=0, atol=1e-4)
    assert not torch.allclose(sample(*parts, prompts, seed=50, steps=5), together, atol=1e-2)


def test_a_prompt_that_needs_a_second_chunk_is_refused(parts):
    with pytest.raises(ValueError, match="longer than one chunk"):
        sample(*parts, ["circle " * 90], seed=0)


def test_a_twenty_step_picture_takes_less_than_two_seconds(parts):
    sample(*parts, ["a circle"], seed=0, steps=2)
    began = time.perf_counter()
    sample(*parts, ["a circle"], seed=0)
    assert time.perf_counter() - began < 2


def test_the_files_are_small():
    assert model.CHECKPOINT.stat().st_size <= 5_000_000
    assert classifier.WEIGHTS.stat().st_size <= 500_000


def test_the_classifier_reads_fresh_renders():
    scores = classifier.evaluate(1000)
    assert all(share >= 0.98 for share in scores.values()), scores


def test_the_classifier_finds_both_shapes_of_a_pair():
    circle, star = world.OBJECTS.index("circle"), world.OBJECTS.index("star")
    scene = world.Scene(circle, 0, second=(star, 2))
    shown = classifier.present(world.render_all([scene], torch.Generator().manual_seed(0)))[0]
    assert shown.nonzero().flatten().tolist() == [circle, star]


def test_every_word_of_every_kept_template_is_trained():
    known = set(world.words())
    assert set(" ".join(world.KEPT_FROM_TRAINING).replace("{}", "").split()) <= known
    assert all(set(word.split()) <= known for words in world.SYNONYMS.values() for word in words)


def test_training_never_sees_a_kept_template():
    _, captions = world.lessons(5000, torch.Generator().manual_seed(3))
    assert not any(world.is_kept(sentence) for sentence in captions)
    assert world.is_kept("a sketch of a red circle")
    assert not world.is_kept("a photo of a red circle")
