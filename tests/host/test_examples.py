"""The example workflows with files, audit and guard, on the mini model, with nothing changed but the loader."""

import json

import pytest

from tests.host import demo
from tests.host.workflow import with_file
from tests.pack import ROOT

EXAMPLES = ROOT / "example_workflows"


def workflow(name: str) -> dict:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def test_save_and_load_saves_first_and_draws_from_the_file_then(server, info):
    steps = workflow("save_and_load")
    first = server.queue(demo.mini_example(info, steps)).checked()
    assert not first.images
    (file,) = {text.splitlines()[0] for text in first.texts.values() if text.startswith("erasepro/")}
    digest = next(text.split("digest ")[1] for text in first.texts.values() if text.startswith("erasepro/"))
    (load,) = (node for node in steps["nodes"] if node["type"] == "ErasePro_Load")
    assert load["widgets_values"] == ["erasure_00001_.safetensors"]  # what a first run writes
    graph = demo.mini_example(info, with_file(steps, file.removeprefix("erasepro/")))
    assert "ErasePro_Solve" not in {node["class_type"] for node in graph.values()}
    graph["report"] = {"class_type": "ErasePro_Report", "inputs": {"erasure": [str(load["id"]), 0]}}
    second = server.queue(graph).checked()
    assert len(second.images) == 1
    assert digest in second.texts["report"]


def test_audit_and_guard_draws_only_what_passed(server, info):
    graph = demo.mini_example(info, workflow("audit_and_guard"))
    result = server.queue(graph).checked()
    assert len(result.images) == 1
    assert any(text.startswith("erased: leak 0.") and "your prompts: 0." in text for text in result.texts.values())
    apply = next(node for node in graph.values() if node["class_type"] == "ErasePro_Apply")
    apply["inputs"]["strength"] = 0.5
    weak = server.queue(graph)
    assert weak.error
    assert weak.error.node_type == "ErasePro_Guard"
    assert not weak.images


@pytest.mark.parametrize("name", ["save_and_load", "audit_and_guard"])
def test_every_widget_of_the_examples_is_one_of_the_nodes(info, name):
    """Widgets are saved by position: a file with too few or too many of them would be read askew."""
    from tests.host.workflow import _extra_widgets, _is_widget, _specs

    for node in workflow(name)["nodes"]:
        if node["type"] in info:
            widgets = [spec for spec in _specs(info[node["type"]]) if _is_widget(spec[1], spec[2])]
            assert len(node["widgets_values"]) == len(widgets) + sum(_extra_widgets(*spec) for spec in widgets), node
