"""How much each layer may move, from the first one that changes to the last."""

import pytest

from erasepro_core.schedule import ScheduledLayer, tolerances


def layer(encoder: str, depth: int) -> ScheduledLayer:
    return ScheduledLayer(f"{encoder}.{depth}", depth, encoder, None, f"{encoder}.{depth}")


def test_the_first_block_has_its_share_of_the_tolerance_and_the_last_one_all_of_it():
    found = tolerances([layer("clip", depth) for depth in (2, 3, 4)], 0.1, 0.25)
    assert found == pytest.approx({"clip.2": 0.025, "clip.3": 0.05, "clip.4": 0.1})


def test_each_encoder_goes_its_own_way():
    layers = [layer("clip", 0), layer("clip", 1), *(layer("t5", depth) for depth in range(9))]
    found = tolerances(layers, 0.1, 0.3)
    assert (found["clip.0"], found["t5.0"]) == pytest.approx((0.03, 0.03))
    assert (found["clip.1"], found["t5.8"]) == pytest.approx((0.1, 0.1))


def test_all_of_the_tolerance_is_the_same_everywhere():
    assert set(tolerances([layer("clip", depth) for depth in range(5)], 0.1, 1.0).values()) == {0.1}


def test_a_block_alone_has_the_share():
    assert tolerances([layer("clip", 4)], 0.1, 0.3) == pytest.approx({"clip.4": 0.03})
