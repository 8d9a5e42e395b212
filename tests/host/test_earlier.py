"""What commit ec4a23f wrote, read by this one: files, and graphs as API clients send them. Never written anew.

Files and graphs were made by that commit's own code. benchmarks/earlier.py has more of them, and compares bits.
"""

import copy
import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from erasepro_core.audit import audit_against
from erasepro_core.files import read
from tests import pack
from tests.pack import ROOT

pytestmark = pytest.mark.usefixtures("comfy_library")
OLD = ROOT / "tests" / "files" / "ec4a23f"
FILES = {
    "mini_object": ("ca01e9e8473d52b1", "3479f9372aa35e61"),
    "flux": ("abd3d332fa33ea55", "3d56a4150cdb7bcd"),
    "wan": ("0271b231e0bbb278", "afb180d3065fe76e"),
}
"""Digest of the erasure, and checksum of its updates, as that commit had them."""
GRAPHS: dict[str, Any] = json.loads((OLD / "api.json").read_text())
"""The example workflows of that commit as its page sent them, with the mini model's loader."""


@pytest.fixture(scope="module", params=FILES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def both(name, mini) -> tuple[Any, Any]:
    from tests.host.families.models import MODELS

    with torch.inference_mode():
        return MODELS[name]() if name in MODELS else mini[:2]


def test_a_file_is_read_bit_by_bit(name):
    report = read(OLD / f"{name}.safetensors")
    assert (report.digest, report.solution.updates.checksum()) == FILES[name]


def test_applied_it_gives_the_weights_that_the_hosts_own_loader_gives(name, both):
    import comfy.sd

    report, tensors = read(OLD / f"{name}.safetensors"), load_file(OLD / f"{name}.safetensors")
    ours = weights(*pack.module("nodes.apply").ApplyErasure.execute(*both, report, 1.0).args)
    model, clip = both
    hosts = weights(*comfy.sd.load_lora_for_models(model, clip, tensors, 1.0, 1.0))
    assert ours.keys() == hosts.keys()
    assert all(torch.equal(weight, hosts[key]) for key, weight in ours.items())
    plain = both[0].model.state_dict() | both[1].cond_stage_model.state_dict()
    assert not any(torch.equal(weight, plain[key].float()) for key, weight in ours.items())


def weights(model: Any, clip: Any) -> dict[str, torch.Tensor]:
    """Every weight that has a patch, with its patches."""
    import comfy.lora
    import comfy.utils

    found = {}
    for patcher in (model, clip.patcher):
        for key, patches in patcher.patches.items():
            weight = comfy.utils.get_attr(patcher.model, key).detach().float().clone()
            found[key] = comfy.lora.calculate_weight(patches, weight, key)
    return found


def test_what_it_erases_is_gone_as_an_audit_of_today_measures_it(mini):
    host, report = pack.module("nodes.host"), read(OLD / "mini_object.safetensors")
    edited = host.with_erasure(*mini[:2], report.solution.updates, 1.0)
    found = audit_against(report.solution.request, host.HostPath(*mini[:2]), host.HostPath(*edited), 0.3)
    assert max(finding.leak for finding in found.findings if finding.group == "unseen sentences") < 0.1


def test_graphs_of_api_clients_have_every_input_that_is_required_today(info):
    for graph in GRAPHS.values():
        for node in (each for each in graph.values() if each["class_type"].startswith("ErasePro_")):
            known = info[node["class_type"]]["input"]
            assert set(known["required"]) <= set(node["inputs"])
            assert set(node["inputs"]) <= {*known["required"], *known.get("optional", {})}


def test_a_graph_of_an_api_client_runs(server):
    result = server.queue(GRAPHS["audit_and_guard"]).checked()
    assert len(result.images) == 1
    assert any(text.startswith("erased: leak 0.") for text in result.texts.values())


def test_a_graph_of_an_api_client_draws_from_a_file_of_then(server):
    graph = {node["class_type"]: key for key, node in GRAPHS["audit_and_guard"].items()}
    solve, audit, graph = graph["ErasePro_Solve"], graph["ErasePro_Audit"], copy.deepcopy(GRAPHS["audit_and_guard"])
    graph[audit]["inputs"]["prompts"] = "a postcard, {}"  # the file erases another concept than the graph
    file = server.output / "erasepro" / "of_then.safetensors"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes((OLD / "mini_object.safetensors").read_bytes())
    graph[solve] = {"class_type": "ErasePro_Load", "inputs": {"file": file.name}}
    result = server.queue(graph).checked()
    assert len(result.images) == 1
    assert any(text.startswith("erased: leak 0.0") for text in result.texts.values())
