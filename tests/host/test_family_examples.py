"""The example workflows of other families, each on its family's tiny model, with other loaders and smaller sizes."""

import json

import pytest

from tests.host.test_examples import EXAMPLES
from tests.host.workflow import replace_loader, to_api

FAMILIES = ("flux2", "qwen_image", "z_image", "wan", "chroma")
SMALL = {"width": 64, "height": 64}


@pytest.mark.parametrize("name", FAMILIES)
def test_an_example_erases_and_draws_on_the_tiny_model_of_its_family(server, info, name):
    workflow = json.loads((EXAMPLES / f"{name}.json").read_text())
    graph = to_api(replace_loader(workflow, "TinyLoader", [name]), info)
    for node in graph.values():
        if node["class_type"].startswith("Empty"):
            node["inputs"] |= SMALL | ({"length": 5} if "length" in node["inputs"] else {})
        if node["class_type"] == "KSampler":
            node["inputs"] |= {"steps": 1}
        if node["class_type"] == "ErasePro_Solve":
            # Random features: no direction is too costly. Every layer of every family: test_every_family.py.
            node["inputs"] |= {"templates": 2, "tolerance": 1.0, "where": "cross-attention"}
    result = server.queue(graph).checked()
    (files,) = result.images.values()
    sheet = server.image(files[0])
    before, after = (sheet.crop((left, 0, left + sheet.width // 2, sheet.height)) for left in (0, sheet.width // 2))
    assert before.tobytes() != after.tobytes()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_negative_prompt_of_an_example_goes_through_the_original_text_encoder(name):
    """Through the erased one it would push away from the anchor."""
    workflow = json.loads((EXAMPLES / f"{name}.json").read_text())
    nodes = {node["id"]: node for node in workflow["nodes"]}
    origin = {link[0]: nodes[link[1]] for link in workflow["links"]}
    samplers = [node for node in workflow["nodes"] if node["type"] == "KSampler"]
    assert len(samplers) == 2
    for sampler in samplers:
        negative = origin[next(i["link"] for i in sampler["inputs"] if i["name"] == "negative")]
        while negative["type"] == "ConditioningZeroOut":
            negative = origin[negative["inputs"][0]["link"]]
        clip = origin[next(i["link"] for i in negative["inputs"] if i["name"] == "clip")]
        assert clip["type"] == "CLIPLoader"
