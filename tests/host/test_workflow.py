"""Saved workflows become the graph that the page itself would send, and every example that ships runs."""

import json

import pytest

from tests.host import demo, graphs
from tests.host.workflow import WorkflowError, replace_loader, to_api
from tests.pack import ROOT

EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
STITCHED = ["erase_one_concept", "flux", "sdxl"]
"""They save one sheet: the original picture left, the erased one right. test_examples.py has the other examples."""
GRIDS = ["compare_methods", "erase_style_with_preserves", "several_concepts"]
"""They save what Compare Erasure draws."""

DIRECTORIES = {
    "CheckpointLoaderSimple": "checkpoints",
    "UNETLoader": "diffusion_models",
    "CLIPLoader": "text_encoders",
    "VAELoader": "vae",
    "ControlNetLoader": "controlnet",
}
"""Where the files of each loader lie."""

# The real server's answers for these nodes, cut to what matters here; one combo in the older form, one in the newer.
OBJECT_INFO = {
    "CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [["a.safetensors", "b.safetensors"], {}]}}},
    "MiniLoader": {"input": {"required": {}}},
    "CLIPTextEncode": {"input": {"required": {"text": ["STRING", {"multiline": True}], "clip": ["CLIP", {}]}}},
    "LoraLoader": {
        "input": {
            "required": {
                "model": ["MODEL"],
                "clip": ["CLIP"],
                "lora_name": [["x.safetensors"]],
                "strength_model": ["FLOAT", {"default": 1.0}],
                "strength_clip": ["FLOAT", {"default": 1.0}],
            }
        }
    },
    "KSampler": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
                "steps": ["INT", {"default": 20}],
                "cfg": ["FLOAT", {"default": 8.0}],
                "scheduler": ["COMBO", {"options": ["simple", "karras"]}],
                "positive": ["CONDITIONING", {}],
            },
            "optional": {"denoise": ["FLOAT", {"default": 1.0}]},
        }
    },
    "LoadImage": {"input": {"required": {"image": [["cat.png"], {"image_upload": True}]}}},
}


def node(id, type, *, inputs=(), outputs=(), widgets=(), mode=0):
    """A node as the page saves it; inputs are (name, type, link id), outputs are types."""
    return {
        "id": id,
        "type": type,
        "mode": mode,
        "inputs": [{"name": name, "type": kind, "link": link} for name, kind, link in inputs],
        "outputs": [{"name": kind, "type": kind} for kind in outputs],
        "widgets_values": list(widgets),
    }


def workflow(*nodes, links=()):
    return {"nodes": list(nodes), "links": [list(link) for link in links]}


LOADER = node(1, "CheckpointLoaderSimple", outputs=("MODEL", "CLIP", "VAE"), widgets=("b.safetensors",))


def sampler(link, **changes):
    return node(
        9, "KSampler", inputs=[("model", "MODEL", link)], widgets=(7, "randomize", 12, 2.5, "karras"), **changes
    )


def test_widgets_get_their_names_and_links_their_origin():
    graph = to_api(workflow(LOADER, sampler(5), links=[(5, 1, 0, 9, 0, "MODEL")]), OBJECT_INFO)
    assert graph["1"]["inputs"] == {"ckpt_name": "b.safetensors"}
    assert graph["9"]["inputs"] == {
        "model": ["1", 0],
        "seed": 7,  # "randomize" after it belongs to the page
        "steps": 12,
        "cfg": 2.5,
        "scheduler": "karras",
        "denoise": 1.0,  # an input younger than the file
    }


def test_links_may_be_objects():
    link = {"id": 5, "origin_id": 1, "origin_slot": 0, "target_id": 9, "target_slot": 0, "type": "MODEL"}
    graph = to_api({"nodes": [LOADER, sampler(5)], "links": [link]}, OBJECT_INFO)
    assert graph["9"]["inputs"]["model"] == ["1", 0]


def test_a_linked_widget_keeps_its_place_among_the_values():
    text = node(2, "CLIPTextEncode", inputs=[("clip", "CLIP", 5), ("text", "STRING", 6)], widgets=("ignored",))
    source = node(3, "PrimitiveNode", outputs=("STRING",), widgets=("a circle", "fixed"))
    links = [(5, 1, 1, 2, 0, "CLIP"), (6, 3, 0, 2, 1, "STRING")]
    graph = to_api(workflow(LOADER, text, source, links=links), OBJECT_INFO)
    assert graph["2"]["inputs"] == {"clip": ["1", 1], "text": "a circle"}
    assert "3" not in graph


def test_reroutes_and_notes_do_not_run():
    reroute = node(4, "Reroute", inputs=[("", "*", 5)], outputs=("MODEL",))
    links = [(5, 1, 0, 4, 0, "MODEL"), (6, 4, 0, 9, 0, "MODEL")]
    graph = to_api(
        workflow(LOADER, reroute, sampler(6), node(8, "MarkdownNote", widgets=("#",)), links=links), OBJECT_INFO
    )
    assert set(graph) == {"1", "9"}
    assert graph["9"]["inputs"]["model"] == ["1", 0]


def lora(mode):
    sockets = [("model", "MODEL", 5), ("clip", "CLIP", 6)]
    return node(4, "LoraLoader", inputs=sockets, outputs=("MODEL", "CLIP"), widgets=("x", 1.0, 1.0), mode=mode)


LORA_LINKS = [(5, 1, 0, 4, 0, "MODEL"), (6, 1, 1, 4, 1, "CLIP"), (7, 4, 0, 9, 0, "MODEL"), (8, 4, 1, 2, 0, "CLIP")]
TEXT = node(2, "CLIPTextEncode", inputs=[("clip", "CLIP", 8)], widgets=("a circle",))


def test_a_bypassed_node_passes_on_what_it_gets():
    graph = to_api(workflow(LOADER, lora(mode=4), sampler(7), TEXT, links=LORA_LINKS), OBJECT_INFO)
    assert "4" not in graph
    assert graph["9"]["inputs"]["model"] == ["1", 0]
    assert graph["2"]["inputs"]["clip"] == ["1", 1]


def test_a_muted_node_passes_on_nothing():
    graph = to_api(workflow(LOADER, lora(mode=2), sampler(7), TEXT, links=LORA_LINKS), OBJECT_INFO)
    assert "4" not in graph
    assert "model" not in graph["9"]["inputs"]


def test_the_upload_button_is_not_an_input():
    graph = to_api(workflow(node(1, "LoadImage", widgets=("cat.png", "image"))), OBJECT_INFO)
    assert graph["1"]["inputs"] == {"image": "cat.png"}


def test_replacing_the_loader_keeps_everything_else():
    before = workflow(LOADER, sampler(5), links=[(5, 1, 0, 9, 0, "MODEL")])
    after = to_api(replace_loader(before), OBJECT_INFO)
    assert after["1"]["class_type"] == "MiniLoader"
    assert after["1"]["inputs"] == {}
    assert after["9"] == to_api(before, OBJECT_INFO)["9"]
    assert before["nodes"][0]["type"] == "CheckpointLoaderSimple"


def test_three_loaders_are_replaced_by_one_with_their_outputs():
    loaders = [
        node(i, kind, outputs=(out,))
        for i, kind, out in ((1, "UNETLoader", "MODEL"), (2, "CLIPLoader", "CLIP"), (3, "VAELoader", "VAE"))
    ]
    text = node(5, "CLIPTextEncode", inputs=[("clip", "CLIP", 8)], widgets=("a circle",))
    links = [[7, 1, 0, 9, 0, "MODEL"], [8, 2, 0, 5, 0, "CLIP"]]
    graph = to_api(replace_loader(workflow(*loaders, sampler(7), text, links=links)), OBJECT_INFO)
    assert set(graph) == {"1", "5", "9"}
    assert graph["1"]["class_type"] == "MiniLoader"
    assert graph["9"]["inputs"]["model"] == ["1", 0]
    assert graph["5"]["inputs"]["clip"] == ["1", 1]


def test_an_unknown_node_is_named():
    with pytest.raises(WorkflowError, match=r"Node 3 has the type Missing"):
        to_api(workflow(node(3, "Missing")), OBJECT_INFO)


def test_a_subgraph_is_the_nodes_inside_it():
    inside = node(2, "CLIPTextEncode", inputs=[("clip", "CLIP", 1), ("text", "STRING", 2)], widgets=("ignored",))
    link = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    kind = {
        "id": "kind",
        "inputs": [{"name": "clip"}, {"name": "words"}],
        "nodes": [inside],
        "links": [
            dict(zip(link, each, strict=True)) for each in [(1, -10, 0, 2, 0), (2, -10, 1, 2, 1), (3, 2, 0, -20, 0)]
        ],
    }
    outside = node(3, "kind", inputs=[("clip", "CLIP", 5), ("words", "STRING", None)], widgets=("a circle",))
    outside["inputs"][1]["widget"] = {"name": "words"}
    other = node(9, "KSampler", inputs=[("positive", "CONDITIONING", 6)], widgets=(7, "randomize", 12, 2.5, "karras"))
    links = [(5, 1, 1, 3, 0, "CLIP"), (6, 3, 0, 9, 0, "CONDITIONING")]
    graph = to_api({**workflow(LOADER, outside, other, links=links), "definitions": {"subgraphs": [kind]}}, OBJECT_INFO)
    assert graph["3:2"]["inputs"] == {"clip": ["1", 1], "text": "a circle"}
    assert graph["9"]["inputs"]["positive"] == ["3:2", 0]
    assert "3" not in graph


@pytest.mark.parametrize("name", STITCHED)
def test_an_example_runs_on_the_mini_model_and_changes_the_picture(server, name):
    (sheet,) = drawn(server, name)
    before, after = sheet.crop((0, 0, 16, 16)), sheet.crop((sheet.width - 16, 0, sheet.width, 16))
    assert before.tobytes() != after.tobytes()


@pytest.mark.parametrize("name", GRIDS)
def test_an_example_compares_before_and_after_in_a_grid(server, name):
    sheets = drawn(server, name)
    assert len(sheets) == (2 if name == "compare_methods" else 1)
    for sheet in sheets:
        assert graphs.distance(graphs.cell(sheet, 0), graphs.cell(sheet, 1)) > 0.02


def drawn(server, name):
    """What the Save Image nodes of an example get on the mini model."""
    example = ROOT / "example_workflows" / f"{name}.json"
    graph = demo.mini_example(server.object_info(), json.loads(example.read_text()))
    for node in graph.values():
        if node["class_type"] == "ErasePro_Solve":
            node["inputs"] |= {"templates": 4}  # fewer sentences than the file asks for: every example is solved here
    images = server.queue(graph).checked().images
    saved = [id for id, node in graph.items() if node["class_type"] == "SaveImage"]
    return [server.image(images[id][0]).convert("RGB") for id in saved]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_for_and_has_its_picture(example):
    workflow = json.loads(example.read_text())
    (note,) = (node for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    assert note["widgets_values"][0].startswith("## ")
    assert 0 < example.with_suffix(".jpg").stat().st_size < 100_000
    loaders = [node for node in workflow["nodes"] if node["type"] in DIRECTORIES]
    for loader in loaders:  # what ComfyUI's own dialog for missing models needs
        (model,) = loader["properties"]["models"]
        assert model["name"] == loader["widgets_values"][0]
        assert model["directory"] == DIRECTORIES[loader["type"]]
        assert model["url"].endswith(model["name"])


def test_a_help_pages_copy_of_a_thumbnail_is_the_thumbnail():
    """The page serves the pictures of help pages from web/ alone, and thumbnails from elsewhere."""
    copies = sorted((ROOT / "web" / "docs" / "images").glob("*.jpg"))
    assert copies
    for copy in copies:
        assert copy.read_bytes() == (ROOT / "example_workflows" / copy.name).read_bytes(), "run: make thumbnails"
