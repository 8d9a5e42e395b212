"""Require Erasure in real graphs: it passes the good one and stops each way in which a concept comes back."""

import re

import pytest

from tests import pack as packs
from tests.host.client import ApiGraph, Client, Result
from tests.host.graphs import node, pictures, solved, with_picture

MODEL, CLIP = ["apply", 0], ["apply", 1]


@pytest.fixture
def graph(info) -> ApiGraph:
    return solved(info)


def guarded(graph: ApiGraph, model: list, clip: list, erasure: list | None = None) -> ApiGraph:
    """The graph with a guard on a MODEL and a CLIP, and a picture by what the guard lets through."""
    guard = node("ErasePro_Guard", model=model, clip=clip, erasure=erasure or ["solve", 0], threshold=0.3)
    return with_picture(graph | {"guard": guard}, "picture", ["guard", 0], ["guard", 1])


def stopped(result: Result) -> float:
    """The leak that the guard names; the run must have ended at the guard, without a picture."""
    assert result.error
    assert (result.error.node, result.error.node_type) == ("guard", "ErasePro_Guard")
    assert not result.images
    said = re.search(
        r"not erased from this MODEL and CLIP: '\w+' of circle \| disc -> square: leak (\d+\.\d\d), most in '.+?' "
        r"\(\d+\.\d\d\).*The threshold is 0\.30",
        result.error.message,
    )
    assert said, result.error.message
    return float(said[1])


def test_the_good_graph_passes_and_draws_what_it_drew(server, graph):
    both = guarded(with_picture(graph, "unguarded", MODEL, CLIP), MODEL, CLIP)
    unguarded, picture = pictures(server, both, "unguarded", "picture")
    assert picture == unguarded


def test_it_hands_on_the_very_objects_it_was_given(mini):
    from erasepro_core import Options, parse_request

    solve, apply, guard = (packs.module(f"nodes.{name}") for name in ("solve", "apply", "guard"))
    report = solve.solve_and_check(*mini[:2], parse_request("circle -> square", "object"), Options(templates=4))
    model, clip = apply.ApplyErasure.execute(*mini[:2], report, 1.0).args
    passed = guard.RequireErasure.execute(model, clip, report, 0.3)
    assert passed.args[0] is model
    assert passed.args[1] is clip
    assert re.match(r"erased: leak 0\.\d+, threshold 0\.30", passed.ui.as_dict()["text"][0])
    with pytest.raises(guard.StillThereError, match=r"leak 1\.00"):
        guard.RequireErasure.execute(*mini[:2], report, 0.3)


def test_a_bypassed_apply_is_stopped(server, graph):
    assert stopped(server.queue(guarded(graph, ["loader", 0], ["loader", 1]))) == 1.0


def test_half_strength_is_stopped(server, graph):
    graph["apply"]["inputs"]["strength"] = 0.5
    assert 0.3 < stopped(server.queue(guarded(graph, MODEL, CLIP))) < 0.9


def test_a_clip_that_was_not_routed_through_apply_is_stopped(server, graph):
    assert stopped(server.queue(guarded(graph, MODEL, ["loader", 1]))) > 0.8


def test_a_model_that_was_not_routed_through_apply_is_stopped_where_the_erasure_is_in_it(server, info):
    graph = solved(info, where="cross-attention")
    assert server.queue(guarded(graph, MODEL, CLIP)).checked().images
    assert stopped(server.queue(guarded(graph, ["loader", 0], CLIP))) == 1.0


def undoing(server: Client, graph: ApiGraph, strength: float) -> ApiGraph:
    """The graph with a LoRA behind Apply: the erasure's own file, at a strength below zero."""
    saved = graph | {
        "save": node("ErasePro_Save", erasure=["solve", 0], filename_prefix="loras/undo", precision="float16")
    }
    file = server.queue(saved).checked().texts["save"].splitlines()[0].removeprefix("loras/")
    wires = {"model": MODEL, "clip": CLIP, "strength_model": strength, "strength_clip": strength}
    return graph | {"lora": node("LoraLoader", lora_name=file, **wires)}


@pytest.mark.parametrize(("strength", "least"), [(-1.0, 0.98), (-0.5, 0.4)])
def test_a_later_lora_that_undoes_it_is_stopped(server, graph, strength, least):
    lora = undoing(server, graph, strength)
    assert stopped(server.queue(guarded(lora, ["lora", 0], ["lora", 1]))) > least
    assert server.queue(guarded(lora, MODEL, CLIP)).checked().images  # before the LoRA all is well


@pytest.mark.parametrize("ratio", [0.5, 0.0])
def test_a_later_merge_that_undoes_it_is_stopped(server, graph, ratio):
    """The ratio is the share of the first, the erased one."""
    graph["models"] = node("ModelMergeSimple", model1=MODEL, model2=["loader", 0], ratio=ratio)
    graph["clips"] = node("CLIPMergeSimple", clip1=CLIP, clip2=["loader", 1], ratio=ratio)
    assert stopped(server.queue(guarded(graph, ["models", 0], ["clips", 0]))) > 0.3


def test_a_merge_with_itself_passes(server, graph):
    graph["models"] = node("ModelMergeSimple", model1=MODEL, model2=MODEL, ratio=0.5)
    graph["clips"] = node("CLIPMergeSimple", clip1=CLIP, clip2=CLIP, ratio=0.5)
    assert server.queue(guarded(graph, ["models", 0], ["clips", 0])).checked().images


def test_an_erasure_for_another_model_is_stopped(server, info):
    graph = solved(info)
    graph["other"] = node("MiniOther")
    graph["apply"]["inputs"] |= {"model": ["other", 0], "clip": ["other", 1]}
    assert stopped(server.queue(guarded(graph, MODEL, CLIP))) > 0.3
    graph["solve"]["inputs"] |= {"model": ["other", 0], "clip": ["other", 1]}
    assert server.queue(guarded(graph, MODEL, CLIP)).checked().images  # solved on that model it is fine


def test_a_loaded_erasure_guards_too(server, graph):
    saved = graph | {
        "save": node("ErasePro_Save", erasure=["solve", 0], filename_prefix="erasepro/guard", precision="float16")
    }
    file = server.queue(saved).checked().texts["save"].splitlines()[0].removeprefix("erasepro/")
    graph = {"loader": node("MiniLoader"), "load": node("ErasePro_Load", file=file)}
    graph["apply"] = node("ErasePro_Apply", model=["loader", 0], clip=["loader", 1], erasure=["load", 0], strength=1.0)
    assert server.queue(guarded(graph, MODEL, CLIP, ["load", 0])).checked().images
    assert stopped(server.queue(guarded(graph, ["loader", 0], ["loader", 1], ["load", 0]))) == 1.0
