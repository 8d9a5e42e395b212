"""What a solve holds stands where there is room for it: on the card, or in main memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests import pack

REQUEST = "Hokusai | striped -> art", "style", "Turner\nSeurat"


@pytest.fixture
def host(mini):
    return pack.module("nodes.host"), *mini[:2]


def solved(host: Any, **options: Any) -> Any:
    core, (bridge, model, clip) = pack.module("erasepro_core"), host
    chosen = core.Options.named(templates=4, **options)
    return core.solve_request(core.parse_request(*REQUEST), chosen, bridge.HostPath(model, clip))


@pytest.mark.parametrize("options", [{}, {"preserve": "weighted"}, {"method": "UCE"}])
def test_updates_are_the_same_where_a_card_has_no_room(host, monkeypatch, options):
    original = pack.module("erasepro_core.original")
    expected, gathered, kept = solved(host, **options).updates.checksum(), original._Gathered, []
    monkeypatch.setattr(host[0].HostPath, "make_room", lambda _, size: not size)
    monkeypatch.setattr(original, "_Gathered", lambda **more: kept.append(more) or gathered(**more))
    assert solved(host, **options).updates.checksum() == expected
    assert ({"in_main_memory": True} in kept) is ("method" not in options)  # UCE as published reads no layer before


def test_the_room_that_is_asked_for_is_for_what_is_held_and_what_is_made_of_it(host, monkeypatch):
    bridge, model, clip = host
    core, plans, original, schedule = (
        pack.module(f"erasepro_core{name}") for name in ("", ".plan", ".original", ".schedule")
    )
    asked: list[int] = []
    monkeypatch.setattr(bridge.HostPath, "make_room", lambda _, size: asked.append(size) or True)
    path = bridge.HostPath(model, clip)
    plan = plans.make_plan(core.parse_request(*REQUEST), core.Options(templates=2), path, ())
    observation = original.Observation(path, plan, schedule.layers_from(path.encoders, 0))
    observation.see(plan.parts(plan.prompts))
    inputs = {text_input.name for text_input in path.inputs}
    seen = observation.whole()
    layers = [parts for name, parts in seen.stays.items() if name not in inputs]
    stay = sum(each.numel() * 2 for parts in layers for each in parts.values())
    given = sum(each.numel() * 4 for pair in seen.layers.values() for each in (pair.target, pair.anchor))
    assert asked == [round(original.ROOM * stay + given)]


def test_the_host_puts_other_models_aside_and_says_whether_there_is_room(host, monkeypatch):
    bridge, model, clip = host
    management, path, freed = bridge.live_path.comfy.model_management, bridge.HostPath(model, clip), []
    assert path.make_room(1 << 60)  # a processor has main memory alone
    clip.load_model()
    monkeypatch.setattr(clip.patcher, "load_device", torch.device("cuda"))
    monkeypatch.setattr(management, "load_models_gpu", lambda *_, **__: None)
    monkeypatch.setattr(management, "free_memory", lambda *given, **more: freed.append((*given, more)))
    monkeypatch.setattr(management, "get_free_memory", lambda *_: 1000)
    assert path.make_room(1000)
    assert not path.make_room(1001)
    assert path.make_room(0)
    assert [(size, device.type) for size, device, _ in freed] == [(1000, "cuda"), (1001, "cuda")]
    assert all([each.model.model for each in kept["keep_loaded"]] == [clip.cond_stage_model] for *_, kept in freed)


def test_what_a_trial_found_goes_to_main_memory_once_it_is_measured(host, monkeypatch):
    attempts, away = pack.module("erasepro_core.attempts").Attempt, []
    put_away = attempts.put_away
    monkeypatch.setattr(attempts, "put_away", lambda self: away.append(len(self.updates)) or put_away(self))
    found = solved(host)
    tried = [trial for trial in found.trials if trial.share and trial.start < len(found.layers)]
    assert len([size for size in away if size]) >= len({trial.start for trial in tried}) > 1
