"""Erasures among other things that change a model: what holds and what does not, by leak (docs/stacking.md)."""

import pytest
import torch
from safetensors.torch import save_file

from erasepro_core import Options
from erasepro_core.audit import audit, guard
from erasepro_core.files import pack, read
from erasepro_core.verify import NotErasedError
from tests import pack as packs
from tests.host.graphs import TEMPLATES
from tests.host.lora import baked, merged, with_random_lora
from tests.mini.request import mini_request

CIRCLE = mini_request("circle | disc -> square", "object", "triangle\nring")
HEART = mini_request("heart | valentine -> triangle", "object", "moon\nring")


@pytest.fixture(scope="module")
def solve():
    return lambda both, request: packs.module("nodes.solve").solve_and_check(
        *both, request, Options(templates=TEMPLATES, own_tokens=False)
    )


@pytest.fixture(scope="module")
def circle(mini, solve):
    return solve(mini[:2], CIRCLE)


@pytest.fixture(scope="module")
def left(host):
    """Leak of an erasure's concept in a MODEL and CLIP."""
    return lambda report, both: guard(report.solution.request, report.checks, host.HostPath(*both), 0.3).leak


def applied(host, both, report):
    return host.with_erasure(*both, report.solution.updates, 1.0)


def test_a_second_erasure_solved_on_the_erased_model_leaves_both(host, mini, solve, circle, left):
    once = applied(host, mini[:2], circle)
    heart = solve(once, HEART)
    both = applied(host, once, heart)
    assert left(circle, both) < 0.2
    assert left(heart, both) < 0.2
    assert left(heart, once) > 0.9  # the first alone does nothing about the second


def test_two_erasures_solved_apart_lie_side_by_side_less_well(host, mini, solve, circle, left):
    heart = solve(mini[:2], HEART)
    both = applied(host, applied(host, mini[:2], circle), heart)
    assert max(left(circle, both), left(heart, both)) < 0.3
    again = applied(host, applied(host, mini[:2], heart), circle)
    assert left(circle, again) == pytest.approx(left(circle, both), abs=1e-4)  # patches add up in any order


def test_an_erasure_of_the_anchor_of_another_leaves_both_concepts_gone(host, mini, solve, left):
    """Circles are drawn as squares and squares as stars, so no circle is left, though its anchor has moved."""
    circle = solve(mini[:2], mini_request("circle -> square", "object"))
    once = applied(host, mini[:2], circle)
    square = solve(once, mini_request("square -> star", "object"))
    both = applied(host, once, square)
    assert left(circle, both) < 0.2
    assert left(square, both) < 0.2
    assert left(circle, applied(host, mini[:2], square)) > 0.9  # the second alone leaves circles
    found = audit(circle.solution.request, circle.checks, host.HostPath(*both), 0.3)
    assert found.passed
    assert "'square', the anchor of 'circle', has another meaning in this model" in found.short()
    assert not audit(circle.solution.request, circle.checks, host.HostPath(*once), 0.3).remarks


def test_the_same_erasure_twice_is_refused_unless_both_are_parts_of_one(host, mini, circle, left):
    once = applied(host, mini[:2], circle)
    with pytest.raises(host.ApplyError, match=r"carries the same erasure already, with strength 1; another 1 would"):
        applied(host, once, circle)
    half = host.with_erasure(*mini[:2], circle.solution.updates, 0.5)
    both = host.with_erasure(*half, circle.solution.updates, 0.5)
    assert left(circle, both) == pytest.approx(left(circle, once), abs=1e-4)
    with pytest.raises(host.ApplyError, match=r"with strength 0\.5; another 0\.6 would"):
        host.with_erasure(*half, circle.solution.updates, 0.6)


def test_the_same_erasure_from_a_file_in_half_precision_is_refused_too(host, mini, circle, tmp_path):
    tensors, metadata = pack(circle, "float16")
    save_file(tensors, tmp_path / "half.safetensors", metadata)
    half = read(tmp_path / "half.safetensors")
    for first, second in ((circle, half), (half, circle)):
        with pytest.raises(host.ApplyError, match="carries the same erasure already"):
            applied(host, applied(host, mini[:2], first), second)


def test_a_solve_on_a_model_from_which_it_is_erased_says_so(host, mini, solve, circle):
    with pytest.raises(NotErasedError, match=r"'circle' and 'square' meant the same before .* It was erased from this"):
        solve(applied(host, mini[:2], circle), CIRCLE)


def test_a_lora_before_the_solve_is_part_of_what_is_solved(host, mini, solve, left):
    tuned = with_random_lora(mini[:2], 0.1)
    report = solve(tuned, CIRCLE)
    assert left(report, applied(host, tuned, report)) < 0.2
    assert left(report, tuned) == pytest.approx(1.0, abs=1e-5)


def test_a_lora_that_the_solve_has_not_seen_hardly_matters(host, mini, circle, left):
    after = with_random_lora(applied(host, mini[:2], circle), 0.1)
    before = applied(host, with_random_lora(mini[:2], 0.1), circle)
    assert left(circle, after) < 0.2
    assert left(circle, before) == pytest.approx(left(circle, after), abs=1e-4)


@pytest.mark.parametrize(
    ("share", "low", "high"), [(1.0, 0, 0.2), (0.75, 0.1, 0.5), (0.5, 0.4, 0.9), (0.0, 0.99, 1.01)]
)
def test_a_merge_keeps_as_much_as_the_share_of_the_erased_model(host, mini, circle, left, share, low, high):
    both = merged(applied(host, mini[:2], circle), mini, share)
    assert low <= left(circle, both) <= high


def test_a_saved_checkpoint_carries_the_erasure_in_its_weights(host, mini, circle, left, tmp_path):
    """Saved as the stock node saves, read into a new model: no patch is left, and the concept is gone all the same."""
    erased = applied(host, mini[:2], circle)
    both = baked(erased, tmp_path)
    assert left(circle, both) == pytest.approx(left(circle, erased), abs=0.01)
    # Concepts alone have nothing to be held against here: the checkpoint itself is what it is measured by.
    audit = packs.module("nodes.audit").AuditErasure
    assert audit.execute(*both, 0.3, "", "", concepts=CIRCLE).args[1] == pytest.approx(1.0, abs=0.01)
    assert audit.execute(*both, 0.3, "", "", erasure=circle).args[1] < 0.2


def test_the_measuring_itself_leaves_every_weight_as_it_was(host, mini, circle, left):
    key = "clip_l.transformer.text_model.encoder.layers.0.mlp.fc2.weight"
    plain = host.HostPath(*mini[:2])
    said = plain.encode(plain.tokenize(["a circle"]))["context"]
    left(circle, applied(host, mini[:2], circle))
    assert torch.equal(plain.encode(plain.tokenize(["a circle"]))["context"], said)
    assert not mini[1].patcher.patches.get(key)
