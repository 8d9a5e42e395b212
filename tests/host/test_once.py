"""What a solve encodes, and what it holds: nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest
import torch

from tests import pack

REQUEST = "Hokusai | striped -> art", "style", "Turner\nSeurat"


@pytest.fixture
def host(mini):
    return pack.module("nodes.host"), *mini[:2]


def test_no_prompt_is_encoded_twice_in_the_same_model(host, monkeypatch):
    """What the original model and its changed tables were asked, and what each trial was asked after it was solved."""
    bridge, model, clip = host
    core, progressive = pack.module("erasepro_core"), pack.module("erasepro_core.progressive")
    attempts, encode = pack.module("erasepro_core.attempts").Attempts, bridge.HostPath.encode
    models: list[Counter[Any]] = [Counter()]

    def counted(path: Any, rows: Sequence[Any], padding: Sequence[int | None]) -> Any:
        models[-1].update(zip((tuple(row.values()) for row in rows), padding, strict=True))
        return encode(path, rows, padding)

    def next_model(function: Any) -> Any:
        return lambda *given, **more: models.append(Counter()) or function(*given, **more)

    monkeypatch.setattr(bridge.HostPath, "encode", counted)
    monkeypatch.setattr(attempts, "attempt", next_model(attempts.attempt))
    # Behind the search for neighbours, whose names alone are encoded again if they are chosen: with every layer.
    monkeypatch.setattr(progressive, "make_plan", next_model(progressive.make_plan))
    solution = core.solve_request(
        core.parse_request(*REQUEST), core.Options(templates=20), bridge.HostPath(model, clip)
    )
    assert any(trial.table for trial in solution.trials)
    assert len([encoded for encoded in models if encoded]) > 3
    assert {count for encoded in models for count in encoded.values()} == {1}


@pytest.mark.parametrize("asked", [REQUEST, ("circle -> square", "object", "star")])
def test_a_solve_and_its_check_put_each_model_in_place_once(host, monkeypatch, asked):
    """Clones share their weights: to run the other one, the host moves a whole text encoder out and in again."""
    bridge, model, clip = host
    core, encode, ran = pack.module("erasepro_core"), bridge.HostPath.encode, []
    monkeypatch.setattr(bridge.HostPath, "encode", lambda path, *given: ran.append(path) or encode(path, *given))
    pack.module("nodes.solve").solve_and_check(model, clip, core.parse_request(*asked), core.Options(templates=2))
    assert len([path for path, _ in groupby(ran, key=id)]) == 2


def test_a_prompt_is_tokenized_once(host, monkeypatch):
    bridge, _, clip = host
    asked: Counter[str] = Counter()
    tokenize = clip.tokenize
    path = bridge.HostPath(*host[1:])
    monkeypatch.setattr(clip, "tokenize", lambda text: asked.update([text]) or tokenize(text))
    assert path.tokenize(["a cup", "a cup (red)"]) * 2 == [*path.tokenize(["a cup", "a cup (red)"] * 2)]
    assert path.tokenize(["a (cup:1.3)"], emphasis=True) != path.tokenize(["a (cup:1.3)"])
    assert asked["a cup"] == asked["a cup (red)"] == 1


def test_what_must_not_move_is_held_once_and_not_by_a_check(host):
    """It is most of the memory: whoever takes it takes it away."""
    bridge, model, clip = host
    core, plans, original = (pack.module(f"erasepro_core{name}") for name in ("", ".plan", ".original"))
    path = bridge.HostPath(model, clip)
    plan = plans.make_plan(core.parse_request(*REQUEST), core.Options(templates=2), path, ())
    parts = plan.parts(plan.prompts)
    seen, check = (original.Observation(path, plan, [], stays=kept) for kept in (True, False))
    for each in (seen, check):
        each.see(parts)
    (held,) = seen.whole().stays.values()
    assert held["exact"].shape[1] > 0
    assert not seen.whole().stays
    assert not check.whole().stays


def test_what_is_held_takes_no_more_room_than_what_was_seen(host):
    """Where the tables do all of it nothing else is encoded, and on SDXL the room for the rest would be a gigabyte."""
    bridge, model, clip = host
    core, plans, original, schedule = (
        pack.module(f"erasepro_core{name}") for name in ("", ".plan", ".original", ".schedule")
    )
    path = bridge.HostPath(model, clip)
    plan = plans.make_plan(core.parse_request(*REQUEST), core.Options(templates=2), path, ())
    layers = schedule.layers_from(path.encoders, 0)
    rounds, once = (original.Observation(path, plan, layers) for _ in range(2))
    parts = plan.parts(plan.compared), plan.parts(plan.others)
    sizes = []
    for each in parts:
        rounds.see(each)
        sizes.append(_size(rounds))
    assert sizes[0] < 0.5 * sizes[1]
    once.see([part for each in parts for part in each])
    for one, other in zip(rounds.whole().stays.values(), once.whole().stays.values(), strict=True):
        assert {role: each.shape for role, each in one.items()} == {role: each.shape for role, each in other.items()}
        assert all(torch.allclose(one[role].float(), other[role].float(), atol=1e-2) for role in one)


@pytest.mark.parametrize(("text", "kind", "listened"), [("circle -> square", "object", False), (*REQUEST[:2], True)])
def test_no_layer_is_listened_to_where_tables_make_every_target_its_anchor(host, monkeypatch, text, kind, listened):
    """What layers give at the tokens of a thousand names was most of the memory of a solve (record 0115)."""
    bridge, model, clip = host
    core, original, heard = pack.module("erasepro_core"), pack.module("erasepro_core.original"), set()
    captured = original.captured
    monkeypatch.setattr(original, "captured", lambda layers, call: heard.update(layers) or captured(layers, call))
    core.solve_request(core.parse_request(text, kind), core.Options(templates=2), bridge.HostPath(model, clip))
    assert bool(heard) is listened


def _size(observation: Any) -> int:
    """Bytes of all columns that it holds."""
    kept: list[Any] = [*vars(observation).values()]
    sizes: dict[int, int] = {}
    while kept:
        each = kept.pop()
        if isinstance(each, torch.Tensor):
            sizes[each.untyped_storage().data_ptr()] = each.untyped_storage().nbytes()
        elif isinstance(each, dict):
            kept += each.values()
        elif isinstance(each, list):
            kept += each
        elif type(each).__name__ in ("_Gathered", "_Columns"):
            kept += vars(each).values()
    return sum(sizes.values())
