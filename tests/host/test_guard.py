"""Require Erasure in real graphs: it passes the good one and stops each way in which a concept comes back."""

import math
import re
from dataclasses import replace

import pytest
import torch

from erasepro_core import Options
from tests import pack as packs
from tests.host.client import ApiGraph, Client, Result
from tests.host.graphs import node, pictures, solved, with_picture
from tests.mini.request import mini_request

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


@pytest.fixture(scope="module")
def solved_once(mini):
    request = mini_request("circle -> square", "object")
    return packs.module("nodes.solve").solve_and_check(*mini[:2], request, Options(templates=4))


def test_it_hands_on_the_very_objects_it_was_given(mini, solved_once):
    apply, guard = (packs.module(f"nodes.{name}") for name in ("apply", "guard"))
    report = solved_once
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


@pytest.mark.parametrize("threshold", [math.nan, 1.0, 5.0, -0.1])
def test_a_threshold_by_wire_that_would_let_anything_through_is_refused(mini, solved_once, threshold):
    """The host checks what is typed; a number that comes by wire it passes on as it is."""
    guard = packs.module("nodes.guard").RequireErasure
    with pytest.raises(ValueError, match=r"must lie between 0 and 0\.9"):
        guard.execute(*mini[:2], solved_once, threshold)


def test_an_erasure_of_one_concept_does_not_vouch_for_another(server, graph):
    heart = {**graph["define0"]["inputs"], "text": "heart -> moon"}
    graph["define1"] = node("ErasePro_DefineConcepts") | {"inputs": heart}
    graph["other"] = node("ErasePro_Solve", **{**graph["solve"]["inputs"], "concepts": ["define1", 0]})
    result = server.queue(guarded(graph, MODEL, CLIP, ["other", 0]))
    assert result.error
    assert result.error.node == "guard"
    assert "'heart' of heart -> moon: leak" in result.error.message


def test_an_alias_that_was_not_erased_is_stopped_by_itself(mini, solved_once, host):
    """One name of two is gone: the mean of both would pass."""
    both = packs.module("nodes.solve").solve_and_check(
        *mini[:2], mini_request("circle | heart -> square", "object"), Options(templates=4)
    )
    erased = host.with_erasure(*mini[:2], solved_once.solution.updates, 1.0)
    guard = packs.module("nodes.guard")
    with pytest.raises(guard.StillThereError, match=r"'heart' of circle \| heart -> square: leak") as stopped:
        guard.RequireErasure.execute(*erased, both, 0.6)
    assert "'circle' of" not in str(stopped.value)


def test_a_swapped_pair_is_stopped(mini, solved_once, host):
    """An erased MODEL with the original CLIP. The other way round all is well: this erasure lives in the CLIP."""
    guard = packs.module("nodes.guard")
    model, clip = host.with_erasure(*mini[:2], solved_once.solution.updates, 1.0)
    with pytest.raises(guard.StillThereError, match="leak"):
        guard.RequireErasure.execute(model, mini[1], solved_once, 0.3)
    assert guard.RequireErasure.execute(mini[0], clip, solved_once, 0.3).args == (mini[0], clip)


def test_a_lora_in_a_hook_is_stopped_because_nothing_can_measure_it(server, graph):
    lora = undoing(server, graph, -1.0)
    file = lora["lora"]["inputs"]["lora_name"]
    graph["hook"] = node("CreateHookLora", lora_name=file, strength_model=-1.0, strength_clip=-1.0)
    hooked = {"clip": CLIP, "apply_to_conds": True, "schedule_clip": False, "hooks": ["hook", 0]}
    graph["hooked"] = node("SetClipHooks", **hooked)
    result = server.queue(guarded(graph, MODEL, ["hooked", 0]))
    assert result.error
    assert (result.error.node, result.images) == ("guard", {})
    assert "this CLIP carries LoRAs that act through hooks" in result.error.message
    wires = {"model": MODEL, "clip": ["hooked", 0], "erasure": ["solve", 0]}
    graph["audit"] = node("ErasePro_Audit", threshold=0.3, prompts="", negative="", **wires)
    assert "Not measured: this CLIP carries LoRAs" in server.queue(graph).checked().texts["audit"]


@pytest.fixture(scope="module")
def erased(mini, solved_once, host):
    return host.with_erasure(*mini[:2], solved_once.solution.updates, 1.0)


def inject(model) -> None:
    from comfy.patcher_extension import PatcherInjection

    model.set_injections("bypass", [PatcherInjection(inject=lambda patcher: None, eject=lambda patcher: None)])


KEYS = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2"
BESIDE = {  # what stands beside the weights, by the name that the guard has for it
    "attn2_patch": lambda model: model.set_model_attn2_patch(lambda q, k, v, extra: (q, k, v)),
    "attn2_output_patch": lambda model: model.set_model_attn2_output_patch(lambda out, extra: out),
    "attn2 replacement": lambda model: model.set_model_attn2_replace(lambda *args: args[0], "input", 1),
    "dit replacement": lambda model: model.set_model_patch_replace(lambda *args: args[0], "dit", "double_block", 0),
    "double_block": lambda model: model.set_model_double_block_patch(lambda args: args),  # ControlNets that are patches
    "model_function_wrapper": lambda model: model.set_model_unet_function_wrapper(lambda apply, args: args["input"]),
    "sampler_calc_cond_batch_function": lambda model: model.set_model_sampler_calc_cond_batch_function(lambda args: 0),
    "apply_model wrapper": lambda model: model.add_wrapper("apply_model", lambda *args: None),
    "diffusion_model wrapper": lambda model: model.model_options["transformer_options"].update(
        wrappers={"diffusion_model": {"key": [lambda *args: None]}}
    ),
    "on_pre_run callback": lambda model: model.add_callback("on_pre_run", lambda patcher: None),
    "optimized_attention_override": lambda model: model.model_options["transformer_options"].update(
        optimized_attention_override=lambda *args: None
    ),
    "injections": inject,
    "diffusion_model.forward": lambda model: model.add_object_patch("diffusion_model.forward", lambda *args: None),
    f"{KEYS}.forward": lambda model: model.add_object_patch(f"{KEYS}.forward", lambda *args: None),
    "weight function": lambda model: model.add_weight_wrapper(f"{KEYS}.to_k.weight", lambda weight: weight),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_acts_beside_the_weights_is_stopped_by_name_and_passes_by_name(erased, solved_once, name):
    """Each of these can hand the model the original keys and values again, and no weight shows it."""
    guard, audit = (packs.module(f"nodes.{module}") for module in ("guard", "audit"))
    model, clip = erased[0].clone(), erased[1]
    BESIDE[name](model)
    for allow in ("", "attn1 replacement, hook", f"no {name}"):
        with pytest.raises(guard.StillThereError, match=r"this MODEL .* write into allow: " + re.escape(name) + "$"):
            guard.RequireErasure.execute(model, clip, solved_once, 0.3, allow)
    passed = guard.RequireErasure.execute(model, clip, solved_once, 0.3, f"hooks, {name}")
    assert passed.args == (model, clip)
    assert "Not measured, but allowed: this MODEL " in passed.ui.as_dict()["text"][0]
    assert "Not measured: this MODEL " in audit.AuditErasure.execute(model, clip, 0.3, "", "", solved_once).args[2]
    swapped = tuple(replace(check, target=check.anchor, anchor=check.target) for check in solved_once.checks)
    with pytest.raises(guard.StillThereError, match="not erased from this MODEL and CLIP"):  # the weights still count
        guard.RequireErasure.execute(model, clip, replace(solved_once, checks=swapped), 0.3, name)


def test_a_hook_on_a_module_that_reads_text_is_stopped(erased, solved_once, host):
    guard = packs.module("nodes.guard")
    block = host.HostPath(*erased).inputs[0].layers[0].rpartition(".")[0]
    hook = erased[0].model.get_submodule(block).register_forward_hook(lambda *args: None)
    try:
        with pytest.raises(guard.StillThereError, match=f"this MODEL has a hook on its {block}"):
            guard.RequireErasure.execute(*erased, solved_once, 0.3)
    finally:
        hook.remove()
    assert guard.RequireErasure.execute(*erased, solved_once, 0.3).args == erased


def test_what_reads_no_text_passes(erased, solved_once):
    """FreeU, HyperTile, rescaled guidance and other sampling: stock nodes that act on the image or on the result."""
    guard = packs.module("nodes.guard")
    model = erased[0].clone()
    model.set_model_attn1_patch(lambda q, k, v, extra: (q, k, v))
    model.set_model_attn1_replace(lambda *args: args[0], "middle", 0)
    model.set_model_output_block_patch(lambda h, skip, extra: (h, skip))
    model.set_model_sampler_cfg_function(lambda args: args["cond"])
    model.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    model.set_model_denoise_mask_function(lambda *args: args[0])
    assert guard.RequireErasure.execute(model, erased[1], solved_once, 0.3).args == (model, erased[1])


def test_another_module_in_place_of_a_layer_is_stopped(mini, solved_once, host):
    """What the host puts in at sampling is not in the weights that can be read."""
    guard = packs.module("nodes.guard")
    model, clip = host.with_erasure(*mini[:2], solved_once.solution.updates, 1.0)
    name = host.HostPath(model, clip).inputs[0].layers[0]
    model.add_object_patch("model_sampling", object())  # many nodes do this, and it reads no text
    assert guard.RequireErasure.execute(model, clip, solved_once, 0.3).args == (model, clip)
    for place in (name, name.rpartition(".")[0], f"{name}.weight"):
        changed = model.clone()
        changed.add_object_patch(place, torch.nn.Identity())
        with pytest.raises(guard.StillThereError, match=f"this MODEL has something else in place of its {place}"):
            guard.RequireErasure.execute(changed, clip, solved_once, 0.3)


STOCK = {  # nodes of the host's own between Apply and the guard, and what the guard calls those that it stops at
    "FreeU": ({"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2}, None),
    "HyperTile": ({"tile_size": 256, "swap_size": 2, "max_depth": 0, "scale_depth": False}, None),
    "TomePatchModel": ({"ratio": 0.3}, None),
    "RescaleCFG": ({"multiplier": 0.7}, None),
    "ModelSamplingDiscrete": ({"sampling": "v_prediction", "zsnr": False}, None),
    "PerturbedAttentionGuidance": ({"scale": 3.0}, None),
    "EasyCache": (
        {"reuse_threshold": 0.2, "start_percent": 0.15, "end_percent": 0.95, "verbose": False},
        "diffusion_model wrapper",
    ),
}


@pytest.mark.parametrize("kind", STOCK)
def test_stock_nodes_behind_apply_pass_or_are_stopped_by_name(server, graph, kind):
    inputs, stops = STOCK[kind]
    graph["stock"] = node(kind, model=MODEL, **inputs)
    result = server.queue(guarded(graph, ["stock", 0], CLIP))
    if stops is None:
        assert result.checked().images
    else:
        assert result.error
        assert result.error.node == "guard"
        assert stops in result.error.message
        assert not result.images
