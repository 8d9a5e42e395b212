"""The tables of token embeddings in every family, as the host patches them: what is swapped, and what stays."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from erasepro_core import FAMILIES
from erasepro_core.table import Swaps, own_tokens
from erasepro_core.update import RowUpdate, UpdateSet
from tests import pack
from tests.host.families import REQUEST, quick

pytestmark = pytest.mark.usefixtures("comfy_library")

TARGET, ANCHOR = (f"a red {name}" for name in (REQUEST.concepts[0].names[0], REQUEST.concepts[0].anchor))
LARGE = 2**26
"""Values of a table that is too slow to patch again and again: that of SD3's T5, which Flux has as well, narrower."""
STAYS = ["", *REQUEST.preserves, "a red star on a white table"]


class Swapped(NamedTuple):
    """A family's tiny model, what its tables are asked to swap, and a clone that does so."""

    path: Any
    swaps: Swaps
    updates: dict[str, RowUpdate]
    changed: Any


@pytest.fixture(scope="module", params=[family.name for family in FAMILIES])
def swapped(request, comfy_library) -> Swapped:
    from tests.host.families import models

    with torch.inference_mode(), quick():
        path = pack.module("nodes.host").HostPath(*models.MODELS[request.param]())
        return with_swaps(path, own_tokens(REQUEST, path, STAYS))


def with_swaps(path: Any, swaps: Swaps) -> Swapped:
    host, updates = pack.module("nodes.host"), swaps.updates(path)
    changed = host.with_erasure(path.model, path.clip, UpdateSet(path.family.name, dict(updates), {}), 1.0)
    return Swapped(path, swaps, updates, host.HostPath(*changed))


def test_every_encoder_swaps_a_row_of_its_table(swapped):
    assert [encoder.table for encoder in swapped.path.encoders] == list(swapped.updates)


def test_a_target_is_read_as_its_anchor_and_what_stays_bit_for_bit(swapped):
    before, after = (features(path, [TARGET, ANCHOR, *STAYS]) for path in (swapped.path, swapped.changed))
    for text_input in swapped.path.inputs:
        (was, wanted, *stayed), (now, *stays) = before[text_input.name], after[text_input.name]
        assert all(map(torch.equal, [wanted, *stayed], stays))
        gap = was[: len(wanted)] - wanted
        assert float(gap.norm()) > 0.01 * float(wanted.norm())  # there was something to erase
        assert float((now[: len(wanted)] - wanted).norm() / gap.norm()) < 1e-5


def features(path: Any, prompts: list[str]) -> Mapping[str, list[Tensor]]:
    """What each input gets of each prompt, encoded alone."""
    alone = [path.encode(path.tokenize([prompt])) for prompt in prompts]
    return {text_input.name: [each[text_input.name][0] for each in alone] for text_input in path.inputs}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_swapped_rows_are_their_sources_and_all_others_stay_bit_for_bit(swapped, dtype):
    for update, before, after in patched(swapped, dtype):
        rows, sources = update.rows, list(update.sources)
        others = torch.ones(len(before), dtype=torch.bool).index_fill_(0, rows, False)
        assert torch.equal(after[others], before[others])
        assert not torch.equal(after[rows], before[rows])
        # A narrow format holds the source's row itself; in float32 adding the difference rounds once.
        near = torch.finfo(dtype).eps * float(before.abs().max()) if dtype is torch.float32 else 0.0
        torch.testing.assert_close(after[rows], before[sources], rtol=0, atol=near)


def test_in_fp8_the_host_moves_few_values_by_one_step(swapped):
    """It rounds the whole table at random, in half precision: docs/decisions/0065."""
    for update, before, after in patched(swapped, torch.float8_e4m3fn):
        wanted, now = before.half(), after.half()
        wanted[update.rows] = wanted[list(update.sources)]
        moved = now != wanted
        assert float(moved.half().mean()) < 0.01
        assert bool(((now - wanted).abs() <= wanted.abs() / 8 + 2**-9)[moved].all())
        assert float((now != before.half())[update.rows].half().mean()) > 0.5


def patched(swapped: Swapped, dtype: torch.dtype) -> Iterator[tuple[RowUpdate, Tensor, Tensor]]:
    """Each table kept in a precision: its update, and what the host has in memory without it and with it."""
    small = {e.name: e.table for e in swapped.path.encoders if swapped.path.module(e.table).weight.numel() < LARGE}
    for layer in small.values():
        swapped.path.module(layer).to(dtype)
    again = with_swaps(swapped.path, replace(swapped.swaps, tokens={n: swapped.swaps.tokens[n] for n in small}))
    before = {layer: in_place(again.path)(layer).weight.detach().clone() for layer in again.updates}
    module = in_place(again.changed)
    for layer, update in again.updates.items():
        assert before[layer].dtype == module(layer).weight.dtype == dtype
        yield update, before[layer], module(layer).weight
    module = in_place(again.path)
    assert all(torch.equal(bits(module(layer).weight), bits(before[layer])) for layer in again.updates)


def in_place(path: Any) -> Callable[[str], Any]:
    """The path's modules once the host has put its patches in place."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([path.clip.patcher], force_patch_weights=True)
    return path.module


def bits(weight: Tensor) -> Tensor:
    return weight.view(torch.uint8)
