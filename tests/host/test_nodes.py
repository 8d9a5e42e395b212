"""The nodes in a real ComfyUI process: what they answer to bad input, and that nothing leaks between branches."""

import json
import re

import pytest

from erasepro_core import ConceptError
from tests import pack
from tests.host import demo
from tests.host.client import ApiGraph, Client

PROMPT = "a photo of a red circle"


@pytest.fixture
def graph(info):
    """Loader, Define Concepts, Solve and Apply; `preserve` and `text` as given."""

    def build(text: str = "circle | disc -> square", kind: str = "object", **options) -> ApiGraph:
        built = demo.evaluation_graph(info, "object", "ErasePro")
        del built["evaluate"]
        built["define0"]["inputs"] |= {"text": text, "kind": kind}
        built["solve"]["inputs"] |= {"templates": 2} | options
        return built

    return build


def with_picture(graph: ApiGraph, name: str, model: str, slots: tuple[int, int], prompt: str = PROMPT) -> ApiGraph:
    """The graph with a picture of `prompt` by the MODEL and CLIP of one of its nodes."""
    latent = {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}}
    text, empty = (
        {"class_type": "CLIPTextEncode", "inputs": {"clip": [model, slots[1]], "text": t}} for t in (prompt, "")
    )
    sampler = {"seed": 7, "steps": 6, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    wires = {"model": [model, slots[0]], "positive": [f"{name} text", 0], "negative": [f"{name} empty", 0]}
    return graph | {
        f"{name} latent": latent,
        f"{name} text": text,
        f"{name} empty": empty,
        f"{name} sampler": {
            "class_type": "KSampler",
            "inputs": {**sampler, **wires, "latent_image": [f"{name} latent", 0]},
        },
        f"{name} pixels": {
            "class_type": "VAEDecode",
            "inputs": {"samples": [f"{name} sampler", 0], "vae": ["loader", 2]},
        },
        name: {"class_type": "PreviewImage", "inputs": {"images": [f"{name} pixels", 0]}},
    }


def picture(server: Client, graph: ApiGraph, name: str) -> bytes:
    result = server.queue(graph).checked()
    return server.image(result.images[name][0]).tobytes()


@pytest.fixture(scope="module")
def untouched(server):
    """The picture that a ComfyUI without our nodes makes."""
    graph = {"loader": {"class_type": "MiniLoader", "inputs": {}}}
    return picture(server, with_picture(graph, "plain", "loader", (0, 1)), "plain")


def test_the_nodes_are_there_and_every_input_explains_itself(info):
    ours = {name: node for name, node in info.items() if name.startswith("ErasePro_")}
    names = "DefineConcepts", "Solve", "Apply", "Save", "Load", "Report", "Audit", "Guard", "Compare", "FindNames"
    assert set(ours) == {f"ErasePro_{name}" for name in names}
    for node in ours.values():
        assert node["category"] == "ErasePro"
        assert node["description"]
        inputs = {
            name: spec for group in ("required", "optional") for name, spec in node["input"].get(group, {}).items()
        }
        assert all(len(spec[1]["tooltip"]) > 10 for spec in inputs.values())


def test_solve_shows_its_report_and_its_progress(server, graph):
    steps = []
    result = server.queue(graph(own_tokens=False), steps.append).checked()
    text = result.texts["solve"]
    assert re.search(r"circle \| disc -> square\n  leak 0\.\d+ in sentences solved on, 0\.\d+ in unseen", text)
    assert re.search(r"residual at most \d\.\de[-+]\d+ in \d+ layers", text)
    done = [step.value for step in steps if step.node == "solve"]
    assert len(done) > 10
    assert done == sorted(done)
    assert done[-1] == steps[-1].maximum


def test_the_original_branch_of_a_graph_is_bit_for_bit_what_it_was(server, graph, untouched):
    both = with_picture(with_picture(graph(), "before", "loader", (0, 1)), "after", "apply", (0, 1))
    result = server.queue(both).checked()
    assert server.image(result.images["before"][0]).tobytes() == untouched
    assert server.image(result.images["after"][0]).tobytes() != untouched


def test_strength_zero_is_the_original_bit_for_bit(server, graph, untouched):
    built = graph()
    built["apply"]["inputs"]["strength"] = 0.0
    assert picture(server, with_picture(built, "after", "apply", (0, 1)), "after") == untouched


def test_order_and_repetition_of_runs_do_not_matter(server, graph, untouched):
    erased = with_picture(graph(), "after", "apply", (0, 1))
    plain = with_picture({"loader": erased["loader"]}, "plain", "loader", (0, 1))
    server.forget()
    first = picture(server, erased, "after")
    assert picture(server, plain, "plain") == untouched
    assert picture(server, erased, "after") == first
    server.forget()
    assert picture(server, plain, "plain") == untouched
    assert picture(server, erased, "after") == first


def test_two_erasures_in_one_graph_do_not_see_each_other(server, graph):
    alone = with_picture(graph("red -> blue"), "red", "apply", (0, 1))
    wanted = picture(server, alone, "red")
    both = with_picture(graph(), "circle", "apply", (0, 1))
    for name in ("define0", "solve", "apply"):
        node = json.loads(json.dumps(alone[name]))
        for key, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in ("define0", "solve"):
                node["inputs"][key] = [f"second {value[0]}", value[1]]
        both[f"second {name}"] = node
    both = with_picture(both, "red", "second apply", (0, 1))
    result = server.queue(both).checked()
    assert server.image(result.images["red"][0]).tobytes() == wanted
    assert server.image(result.images["circle"][0]).tobytes() != wanted


BAD_TEXT = [
    ("", "concept text is empty"),
    ("a ->", "has nothing after the arrow"),
    ("-> b", "has an empty target"),
    ("circle -> circle", "is its own anchor"),
    ("circle -> square\nCircle -> star", "to become both 'square' and 'star'"),
]


@pytest.mark.parametrize(("text", "says"), BAD_TEXT)
def test_bad_text_is_refused_on_its_node_before_anything_runs(server, graph, untouched, text, says):
    result = server.queue(graph(text))
    assert result.error
    assert result.error.node == "define0"
    assert says in result.error.message
    plain = with_picture({"loader": {"class_type": "MiniLoader", "inputs": {}}}, "plain", "loader", (0, 1))
    assert picture(server, plain, "plain") == untouched


@pytest.mark.parametrize(("text", "says"), BAD_TEXT[:2])
def test_bad_text_that_comes_by_wire_fails_when_the_node_runs(server, graph, text, says):
    built = graph()
    built["words"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": text}}
    built["define0"]["inputs"]["text"] = ["words", 0]
    result = server.queue(built)
    assert result.error
    assert result.error.node == "define0"
    assert says in result.error.message


def test_contradicting_nodes_are_refused(server, graph):
    built = graph()
    other = {"text": "disc -> star", "kind": "object", "preserve": "", "everyday": "", "more_concepts": ["define0", 0]}
    built["define1"] = {"class_type": "ErasePro_DefineConcepts", "inputs": other}
    built["solve"]["inputs"]["concepts"] = ["define1", 0]
    result = server.queue(built)
    assert result.error
    assert result.error.node == "define1"
    assert "'disc' is asked to become both 'square' and 'star'" in result.error.message


def test_a_name_that_fits_no_chunk_is_refused_by_solve_and_the_next_run_works(server, graph):
    result = server.queue(graph("circle " * 80 + "-> square"))
    assert result.error
    assert result.error.node == "solve"
    assert "must fit into one chunk of 77" in result.error.message
    assert server.queue(graph()).checked()


def test_a_clip_of_another_family_is_refused_by_solve_and_by_apply(server, graph):
    built = graph()
    built["strange"] = {"class_type": "MiniStranger", "inputs": {}}
    built["solve"]["inputs"]["clip"] = ["strange", 0]
    result = server.queue(built)
    assert result.error
    assert result.error.node == "solve"
    assert "this CLIP (clip_h) gives features of 32 values, but" in result.error.message
    assert "Connect MODEL and CLIP of one checkpoint" in result.error.message
    built["solve"]["inputs"]["clip"] = ["loader", 1]
    built["apply"]["inputs"]["clip"] = ["strange", 0]
    result = server.queue(with_picture(built, "after", "apply", (0, 1)))
    assert result.error
    assert result.error.node == "apply"
    assert "so nothing was applied" in result.error.message


@pytest.mark.parametrize("strength", [-0.5, 1.5])
def test_a_strength_out_of_range_is_refused(server, graph, strength):
    built = with_picture(graph(), "after", "apply", (0, 1))
    built["apply"]["inputs"]["strength"] = strength
    result = server.queue(built)
    assert result.error
    assert result.error.node == "apply"
    assert server.queue(graph()).checked()


def test_a_strength_out_of_range_that_comes_by_wire_is_refused_too(server, graph):
    built = with_picture(graph(), "after", "apply", (0, 1))
    built["number"] = {"class_type": "PrimitiveFloat", "inputs": {"value": 1.5}}
    built["apply"]["inputs"]["strength"] = ["number", 0]
    result = server.queue(built)
    assert result.error
    assert result.error.node == "apply"
    assert "must lie between 0" in result.error.message


def test_the_example_workflow_runs_with_another_loader(server, info, untouched):
    result = server.queue(demo.mini_example(info)).checked()
    (files,) = result.images.values()
    sheet = server.image(files[0])
    assert sheet.size == (32, 16)
    left, right = sheet.crop((0, 0, 16, 16)), sheet.crop((16, 0, 32, 16))
    assert left.tobytes() != right.tobytes()
    assert any("Hokusai" in text for text in result.texts.values())


def test_own_sentences_reach_the_request_and_bad_ones_stop_the_run(host):
    define = pack.module("nodes.define").DefineConcepts
    (request,) = define.execute("circle -> square", "object", sentences="a {} of glass", only_own=True).args
    assert request.concepts[0].templates() == ["a {} of glass"]
    (request,) = define.execute("circle -> square", "object").args  # as a graph of before has it
    assert request.concepts[0].sentences == ()
    with pytest.raises(ConceptError, match="'a circle of glass' has 0 places for a name"):
        define.execute("circle -> square", "object", sentences="a circle of glass")


def test_what_the_page_calls_optional_is_so_for_api_clients(info):
    ours = {name: node for name, node in info.items() if name.startswith("ErasePro_")}
    for name, node in ours.items():
        for field, spec in node["input"].get("required", {}).items():
            said = f"{spec[1].get('tooltip', '')} {spec[1].get('placeholder', '')}".lower()
            assert "optional:" not in said, f"{name}.{field}"
    assert {"prompts", "negative"} <= set(ours["ErasePro_Audit"]["input"]["optional"])
