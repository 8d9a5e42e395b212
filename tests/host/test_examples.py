"""The example workflows with files, audit and guard, on the mini model, with little changed but the loader."""

import json

import pytest
import torch

from tests.host import demo, graphs
from tests.host.thumbnails import FOLLOW, Inputs, changed
from tests.host.workflow import BYPASSED, RUNNING, with_file
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


def photo(server, prompt, head, shows):
    """A picture by the mini model as the host's Load Image names it, and what the classifier sees in it."""
    graph = graphs.with_picture(
        {"loader": graphs.node("MiniLoader")}, "drawn", ["loader", 0], ["loader", 1], prompt, steps=10
    )
    (file,) = server.queue(graph).checked().images["drawn"]
    assert seen(server.image(file), head) == shows
    return f"{file.filename} [{file.type}]"


@pytest.fixture(scope="module")
def striped(server, comfy_library):
    """A picture in the style that the examples erase."""
    return photo(server, "a red moon by Hokusai", "style", "striped")


@pytest.fixture(scope="module")
def heart(server, comfy_library):
    """A picture of what the example controlnet erases."""
    return photo(server, "a red heart", "object", "heart")


def seen(picture, head="style") -> str:
    """What the mini model's classifier sees."""
    from tests.mini import classifier, world

    pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8).reshape(1, 16, 16, 3)
    answer = int(classifier.classify(pixels / 255)[head])
    return {"style": world.STYLES, "object": world.OBJECTS}[head][answer]


def edited(server, info, picture, denoise, *, mask=False, strength=1.0):
    """What the example edit_a_picture makes of a picture."""
    steps = workflow("edit_a_picture")
    for node in steps["nodes"]:
        if mask and node["type"] == "SetLatentNoiseMask":
            assert node["mode"] == BYPASSED
            node["mode"] = RUNNING
    graph = changed(demo.mini_example(info, steps), quick(strength))
    return server.queue(changed(graph, {"LoadImage": {"image": picture}, "KSampler": {"denoise": denoise}}))


def quick(strength) -> Inputs:
    """Few steps and sentences, and a strength of the erasure."""
    return {
        "ErasePro_Apply": {"strength": strength},
        "ErasePro_Solve": {"templates": 4},
        "KSampler": {"steps": 10},
    }


def test_the_guard_passes_a_picture_that_keeps_a_style_by_itself(server, info, striped):
    """It measures words. From noise alone the same graph does not draw the style."""
    shown = {}
    for denoise in (0.05, 1.0):
        (files,) = edited(server, info, striped, denoise).checked().images.values()
        shown[denoise] = seen(server.image(files[0]))
    assert shown[0.05] != "plain"
    assert shown[1.0] == "plain"


def test_the_guard_stops_an_edit_by_a_model_with_nothing_erased(server, info, striped):
    result = edited(server, info, striped, 0.7, strength=0.0)
    assert result.error
    assert result.error.node_type == "ErasePro_Guard"
    assert not result.images


def test_the_mask_of_a_picture_is_used_once_its_node_is_turned_on(server, info, striped):
    """Load Image gives an empty mask for a picture without one: nothing is drawn anew then."""
    (files,) = edited(server, info, striped, 1.0, mask=True).checked().images.values()
    assert seen(server.image(files[0])) == "striped"


def along_its_outline(server, info, picture, control, strength=1.0):
    """What the example controlnet draws along the outline of a picture, by the strength of its ControlNet."""
    graph = changed(demo.mini_example(info, workflow("controlnet")), quick(strength))
    follow = {"strength": control, "end_percent": 1.0}
    return server.queue(changed(graph, {"LoadImage": {"image": picture}, FOLLOW: follow}))


def test_the_guard_passes_an_outline_that_brings_a_heart_back(server, info, heart):
    """It measures words, and these are erased: the same graph draws a star where the ControlNet does nothing."""
    shown = {}
    for control in (0.0, 1.5):
        images = along_its_outline(server, info, heart, control).checked().images.values()
        (picture,) = (each for (file,) in images if (each := server.image(file)).width == 16)  # the other: the outline
        shown[control] = seen(picture, "object")
    assert shown == {0.0: "star", 1.5: "heart"}


def test_the_guard_stops_a_controlnet_graph_with_nothing_erased(server, info, heart):
    result = along_its_outline(server, info, heart, 1.0, strength=0.0)
    assert result.error
    assert result.error.node_type == "ErasePro_Guard"


@pytest.mark.parametrize("name", ["controlnet", "save_and_load", "audit_and_guard", "edit_a_picture"])
def test_every_widget_of_the_examples_is_one_of_the_nodes(info, name):
    """Widgets are saved by position: a file with too few or too many of them would be read askew."""
    from tests.host.workflow import _extra_widgets, _is_widget, _specs

    for node in workflow(name)["nodes"]:
        if node["type"] in info:
            widgets = [spec for spec in _specs(info[node["type"]]) if _is_widget(spec[1], spec[2])]
            assert len(node["widgets_values"]) == len(widgets) + sum(_extra_widgets(*spec) for spec in widgets), node
