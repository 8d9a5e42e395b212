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
