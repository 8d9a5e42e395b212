"""Leak and drift on features made by hand."""

import pytest
import torch

from erasepro_core.align import TokenRow
from erasepro_core.concept import PromptPair
from erasepro_core.measure import Encoded, drift, leak, one_for_all

PAIR = PromptPair("a {}", "cat", "dog", 0)
ROWS = {"a cat": TokenRow((0, 5, 6, 1, 1, 1), 1, 3), "a dog": TokenRow((0, 5, 7, 1, 1, 1), 1, 3)}
PREFIX = {"a ": 1}


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def original():
    return Encoded(ROWS, {prompt: normal(6, 8, seed=i) for i, prompt in enumerate(ROWS)})


@pytest.fixture
def weights():
    return [(w, w) for w in (normal(5, 8, seed=10), normal(3, 8, seed=11))]


def with_target(original: Encoded, features: torch.Tensor) -> Encoded:
    return Encoded(ROWS, {**original.features, "a cat": features})


def test_leak_is_one_before_and_zero_when_the_target_reads_as_the_anchor(original, weights):
    torch.testing.assert_close(leak([PAIR], original, original, weights, PREFIX), torch.ones(1))
    gone = with_target(original, original.features["a dog"])
    assert leak([PAIR], original, gone, weights, PREFIX) == 0


def test_leak_is_the_share_of_the_way_that_is_left(original, weights):
    cat, dog = original.features["a cat"], original.features["a dog"]
    part = with_target(original, dog + 0.3 * (cat - dog))
    torch.testing.assert_close(leak([PAIR], original, part, weights, PREFIX), torch.tensor([0.3]))


def test_leak_does_not_look_at_the_prefix_but_at_padding(original, weights):
    moved = original.features["a dog"].clone()
    moved[:2] += 5
    assert leak([PAIR], original, with_target(original, moved), weights, PREFIX) == 0
    moved[4] += 5
    assert leak([PAIR], original, with_target(original, moved), weights, PREFIX) > 0.1


def test_an_edited_weight_counts_like_edited_features(original, weights):
    """A linear map in front of every weight is the same as that map in every weight."""
    turn = torch.eye(8) + 0.1 * normal(8, 8, seed=20)
    in_features = Encoded(ROWS, {p: f @ turn.T for p, f in original.features.items()})
    in_weights = [(w, w @ turn) for w, _ in weights]
    for measure in (
        lambda e, w: leak([PAIR], original, e, w, PREFIX),
        lambda e, w: drift(list(ROWS), original, e, w),
    ):
        torch.testing.assert_close(measure(in_features, weights), measure(original, in_weights))


def test_drift_is_relative_to_what_was_said(original, weights):
    assert drift(["a dog"], original, original, weights) == 0
    louder = Encoded(ROWS, {p: 1.1 * f for p, f in original.features.items()})
    torch.testing.assert_close(drift(list(ROWS), original, louder, weights), torch.full((2,), 0.1))


def test_one_weight_can_stand_for_all(original, weights):
    moved = with_target(original, normal(6, 8, seed=30))
    alone = one_for_all(weight for weight, _ in weights)
    for given in (weights, [(alone, alone)]):
        torch.testing.assert_close(
            leak([PAIR], original, moved, given, PREFIX), leak([PAIR], original, moved, weights, PREFIX)
        )
    assert alone.shape == (8, 8)
