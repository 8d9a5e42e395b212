"""Leak and drift on features made by hand."""

import pytest
import torch

from erasepro_core.align import POOLED_ROW, TokenRow
from erasepro_core.concept import PromptPair
from erasepro_core.encoded import Encoded
from erasepro_core.families import Encoder, TextInput
from erasepro_core.measure import drift, leak, stand_in_weight

PAIR = PromptPair("a {}", "cat", "dog", 0)
TOKENS = {"a cat": TokenRow((0, 5, 6, 1, 1, 1), 1, 3), "a dog": TokenRow((0, 5, 7, 1, 1, 1), 1, 3)}
ROWS = {prompt: {"clip_l": row, "clip_l.pooled": POOLED_ROW} for prompt, row in TOKENS.items()}
PREFIX = {"a ": {"clip_l": TokenRow((0, 5, 1, 1, 1, 1), 1, 2), "clip_l.pooled": POOLED_ROW}}
INPUTS = [TextInput("context", ("clip_l",), ("a", "b")), TextInput("pooled", ("clip_l.pooled",), ("c",))]
ENCODERS = [Encoder("clip_l", "l", ())]


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def encoded(features: dict[str, torch.Tensor]) -> Encoded:
    """What the encoder says, with a pooled vector that is the end token's first half."""
    return Encoded(ROWS, {p: {"context": f, "pooled": f[3:4, :4]} for p, f in features.items()}, INPUTS, ENCODERS)


@pytest.fixture
def original():
    return encoded({prompt: normal(6, 8, seed=i) for i, prompt in enumerate(ROWS)})


@pytest.fixture
def weights():
    """Of an input for tokens; in the tests that do not speak of it, the pooled vector is not read."""
    context = {"a": normal(5, 8, seed=10), "b": normal(3, 8, seed=11)}
    return {"context": {name: (w, w) for name, w in context.items()}, "pooled": {}}


def said(features: Encoded) -> dict[str, torch.Tensor]:
    return {prompt: f["context"] for prompt, f in features.features.items()}


def with_target(original: Encoded, features: torch.Tensor) -> Encoded:
    return encoded({**said(original), "a cat": features})


def test_leak_is_one_before_and_zero_when_the_target_reads_as_the_anchor(original, weights):
    torch.testing.assert_close(leak([PAIR], original, original, weights, PREFIX), torch.ones(1))
    gone = with_target(original, said(original)["a dog"])
    assert leak([PAIR], original, gone, weights, PREFIX) == 0


def test_leak_is_the_share_of_the_way_that_is_left(original, weights):
    cat, dog = said(original)["a cat"], said(original)["a dog"]
    part = with_target(original, dog + 0.3 * (cat - dog))
    torch.testing.assert_close(leak([PAIR], original, part, weights, PREFIX), torch.tensor([0.3]))


def test_leak_does_not_look_at_the_prefix_but_at_padding(original, weights):
    moved = said(original)["a dog"].clone()
    moved[:2] += 5
    assert leak([PAIR], original, with_target(original, moved), weights, PREFIX) == 0
    moved[4] += 5
    assert leak([PAIR], original, with_target(original, moved), weights, PREFIX) > 0.1


def test_an_edited_weight_counts_like_edited_features(original, weights):
    """A linear map in front of every weight is the same as that map in every weight."""
    turn = torch.eye(8) + 0.1 * normal(8, 8, seed=20)
    in_features = encoded({p: f @ turn.T for p, f in said(original).items()})
    in_weights = {"context": {n: (w, w @ turn) for n, (w, _) in weights["context"].items()}, "pooled": {}}
    for measure in (
        lambda e, w: leak([PAIR], original, e, w, PREFIX),
        lambda e, w: drift(list(ROWS), original, e, w),
    ):
        torch.testing.assert_close(measure(in_features, weights), measure(original, in_weights))


def test_drift_is_relative_to_what_was_said(original, weights):
    assert drift(["a dog"], original, original, weights) == 0
    louder = encoded({p: 1.1 * f for p, f in said(original).items()})
    torch.testing.assert_close(drift(list(ROWS), original, louder, weights), torch.full((2,), 0.1))


def test_one_weight_can_stand_for_all(original, weights):
    moved = with_target(original, normal(6, 8, seed=30))
    alone = stand_in_weight(weight for weight, _ in weights["context"].values())
    for given in (weights, {"context": {"all": (alone, alone)}, "pooled": {}}):
        torch.testing.assert_close(
            leak([PAIR], original, moved, given, PREFIX), leak([PAIR], original, moved, weights, PREFIX)
        )
    assert alone.shape == (8, 8)


def test_a_pooled_vector_is_one_aligned_token_and_the_worst_way_in_counts(original, weights):
    pooled = normal(2, 4, seed=12)
    both = {**weights, "pooled": {"c": (pooled, pooled)}}
    cat, dog = said(original)["a cat"], said(original)["a dog"]
    moved = dog.clone()
    moved[3] = cat[3]  # the end token alone, which the pooled vector is made of
    torch.testing.assert_close(leak([PAIR], original, with_target(original, moved), both, PREFIX), torch.ones(1))
    assert 0.1 < leak([PAIR], original, with_target(original, moved), weights, PREFIX) < 0.9
    moved = cat.clone()
    moved[3] = dog[3]
    only_pooled = {"context": {}, "pooled": both["pooled"]}
    assert leak([PAIR], original, with_target(original, moved), only_pooled, PREFIX) == 0
