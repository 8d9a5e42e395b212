# pyright: reportCallIssue=false
"""A trained ControlNet beside an erasure: what comes back along an outline, and what guard and audit say of it."""

import json
from typing import Any

import pytest
import torch

from erasepro_core import Options
from tests import pack as packs
from tests.host.graphs import TEMPLATES, node, pictures, solved, with_picture
from tests.host.server import CONTROL
from tests.mini.request import mini_request

COUNT = 16


@pytest.fixture(scope="module")
def report(mini):
    request = mini_request("circle | disc -> square", "object", "triangle\nring")
    return packs.module("nodes.solve").solve_and_check(*mini[:2], request, Options(templates=TEMPLATES))


@pytest.fixture(scope="module")
def erased(host, mini, report):
    return host.with_erasure(*mini[:2], report.solution.updates, 1.0)


@pytest.fixture(scope="module")
def along(mini):
    """A ControlNet with outlines of circles as the original model draws them, by its strength."""
    from tests.mini import control
    from tests.mini.sample import sample

    with torch.inference_mode():
        lines = control.outlines(sample(*mini, ["a red circle"] * COUNT, seed=300, steps=10))
    return lambda strength: control.along(control.load(), lines, strength)


def circles(parts, prompt, along=None) -> float:
    """The share of pictures that show a circle."""
    from tests.mini import classifier, world
    from tests.mini.sample import sample

    drawn = sample(*parts, [prompt] * COUNT, seed=400, steps=10, control=along)
    return (classifier.classify(drawn)["object"] == world.OBJECTS.index("circle")).float().mean().item()


def test_an_outline_brings_back_what_the_words_do_not(mini, erased, along):
    parts = (*erased, mini[2])
    by_words, strong = (circles(parts, "a photo of a circle", net) for net in (None, along(1.5)))
    assert by_words == 0
    assert strong > 0.5
    assert circles(mini, "a photo of a circle") == 1


def test_guard_and_audit_are_the_same_after_a_run_with_a_controlnet(mini, erased, report, along):
    """It hangs on the conditioning, so nothing of it is in a MODEL or CLIP: nothing to refuse, nothing to measure."""
    guard, audit = (packs.module(f"nodes.{name}") for name in ("guard", "audit"))
    said = guard.RequireErasure.execute(*erased, report, 0.3).ui.as_dict()["text"]
    circles((*erased, mini[2]), "a circle", along(1.0))
    assert guard.RequireErasure.execute(*erased, report, 0.3).ui.as_dict()["text"] == said
    remarks = json.loads(audit.AuditErasure.execute(*erased, 0.3, "", "", report).args[3])["remarks"]
    assert not [remark for remark in remarks if "Not measured" in remark]


def test_the_audit_knows_a_negative_prompt_that_a_controlnet_hangs_on(mini, erased, report, along):
    audit = packs.module("nodes.audit").AuditErasure

    def remarks(clip) -> list[str]:
        encoded = clip.encode_from_tokens(clip.tokenize("circle"))
        controlled = [[encoded, {"control": along(1.0), "control_apply_to_uncond": False}]]
        result = audit.execute(*erased, 0.3, "", "circle", report, negative_conditioning=controlled)
        return json.loads(result.args[3])["remarks"]

    assert any("The negative prompt names 'circle'" in remark for remark in remarks(erased[1]))
    assert not any("The negative prompt names" in remark for remark in remarks(mini[1]))


def test_a_control_lora_reads_the_text_with_the_weights_of_the_erased_model(host, mini):
    """It has none of its own there: the host gives it those of the MODEL, as they are when the sampler starts."""
    import comfy.controlnet
    import comfy.model_management

    solve = packs.module("nodes.solve").solve_and_check
    options = Options.named(templates=2, own_tokens=False, where="cross-attention")
    solution = solve(*mini[:2], mini_request("circle -> square", "object"), options).solution
    name = "input_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"
    found = []
    for model in (mini[0], host.with_erasure(*mini[:2], solution.updates, 1.0)[0]):
        comfy.model_management.load_models_gpu([model])
        lora = comfy.controlnet.ControlLora({"input_hint_block.0.weight": torch.zeros(16, 3, 3, 3)})
        lora.pre_run(model.model, lambda percent: percent)
        network: Any = lora.control_model
        found.append(network.get_parameter(name).clone())
        assert torch.equal(found[-1], model.model.diffusion_model.get_parameter(name))
    assert not torch.equal(*found)


def test_a_text_for_the_controlnet_alone_is_behind_the_guard(server, info):
    """CLIPTextEncodeControlnet can hand it what another CLIP makes of a text; nothing of it is in MODEL or CLIP."""
    graph = solved(info) | {"control": node("ControlNetLoader", control_net_name=CONTROL)}
    graph["guard"] = node("ErasePro_Guard", model=["apply", 0], clip=["apply", 1], erasure=["solve", 0], threshold=0.3)
    graph["lines"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0)
    for name, clip in (("erased", ["guard", 1]), ("original", ["loader", 1])):
        graph = with_picture(graph, name, ["guard", 0], ["guard", 1])
        text = {"conditioning": [f"{name} text", 0], "text": "a photo of a red circle"}
        graph[f"{name} own"] = node("CLIPTextEncodeControlnet", clip=clip, **text)
        how = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
        wires = {"positive": [f"{name} own", 0], "negative": [f"{name} negative", 0], "control_net": ["control", 0]}
        graph[f"{name} control"] = node("ControlNetApplyAdvanced", image=["lines", 0], **wires, **how)
        controlled = {"positive": [f"{name} control", 0], "negative": [f"{name} control", 1]}
        graph[f"{name} sampler"]["inputs"] |= controlled
    one, other = pictures(server, graph, "erased", "original")
    assert one != other
