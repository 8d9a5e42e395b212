"""Which share of the tolerance each layer has, from the first block of a text encoder to the last."""

import pytest

from erasepro_core.families import Encoder, EncoderBlock
from erasepro_core.schedule import FIRST_SHARE, layers_from


def encoder(name: str, blocks: int) -> Encoder:
    layers = [f"{name}.{block}" for block in range(blocks)]
    return Encoder(name, name, tuple(EncoderBlock((f"{each}.qkv",), f"{each}.out", each) for each in layers))


def shares(*encoders: Encoder, start: int = 0) -> dict[str, float]:
    return {layer.name: layer.share for layer in layers_from(encoders, start)}


def test_it_grows_by_the_same_factor_from_block_to_block_until_the_last_has_all_of_it():
    found = shares(encoder("clip", 3))
    assert found["clip.0.qkv"] == found["clip.0.out"] == FIRST_SHARE
    assert found["clip.1.out"] == pytest.approx(FIRST_SHARE**0.5)
    assert found["clip.2.out"] == 1


def test_a_block_has_the_same_share_from_every_start_depth():
    whole = shares(encoder("clip", 6))
    for start in range(6):
        found = shares(encoder("clip", 6), start=start)
        assert found[f"clip.{start}.qkv"] == whole[f"clip.{start}.out"]
        assert found["clip.5.out"] == whole["clip.5.out"]


def test_each_encoder_goes_its_own_way():
    found = shares(encoder("clip", 2), encoder("t5", 9))
    assert found["clip.0.out"] == found["t5.0.out"] == FIRST_SHARE
    assert found["clip.1.out"] == found["t5.8.out"] == 1


def test_a_single_block_has_all_of_it():
    assert shares(encoder("clip", 1)) == {"clip.0.qkv": 1, "clip.0.out": 1}


@pytest.mark.parametrize(
    ("blocks", "start", "changed"),
    [
        (6, 0, [0, 1, 2, 3, 4, 5]),
        (12, 0, [0, 1, 2, 3, 4, 5, 6, 9, 11]),
        (24, 0, [*range(6), 6, 9, 12, 15, 18, 21, 23]),
        (24, 14, [15, 18, 21, 23]),
        (24, 23, [23]),
        (24, 24, []),
    ],
)
def test_of_a_deep_encoder_the_first_blocks_change_and_one_in_three_behind_them(blocks, start, changed):
    found = layers_from([encoder("t5", blocks)], start)
    assert [layer.depth for layer in found if layer.name.endswith("out")] == changed
    assert [layer.depth for layer in found if layer.name.endswith("qkv")] == changed[:1]
