"""The blueprints: ComfyUI serves them, they hold what their names say, and the example has the same ones inside."""

import importlib
import json
import urllib.request
from dataclasses import dataclass, field

import pytest

from tests import pack
from tests.host.demo import mini_example
from tests.host.workflow import _extra_widgets, _is_widget, _specs
from tests.pack import ROOT

BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
INSIDE = {
    "Erase Concepts": ["ErasePro_Apply", "ErasePro_DefineConcepts", "ErasePro_Solve"],
    "Require and Audit Erasure": ["ErasePro_Audit", "ErasePro_Guard"],
}


def definition(file) -> dict:
    (kind,) = json.loads(file.read_text())["definitions"]["subgraphs"]
    return kind


def test_the_host_serves_every_blueprint(server):
    with urllib.request.urlopen(f"{server.url}/global_subgraphs", timeout=60) as answer:
        served = json.load(answer)
    ours = {each["name"]: id for id, each in served.items() if each["info"]["node_pack"] == "custom_nodes.ErasePro"}
    assert set(ours) == {file.stem for file in BLUEPRINTS} == set(INSIDE)
    for file in BLUEPRINTS:
        with urllib.request.urlopen(f"{server.url}/global_subgraphs/{ours[file.stem]}", timeout=60) as answer:
            assert json.load(answer)["data"] == file.read_text()


@pytest.mark.parametrize("file", BLUEPRINTS, ids=lambda file: file.stem)
def test_a_blueprint_is_one_node_with_ours_inside(info, file):
    whole, kind = json.loads(file.read_text()), definition(file)
    (outer,) = whole["nodes"]
    assert (outer["type"], outer["title"], kind["name"]) == (kind["id"], file.stem, file.stem)
    assert sorted(node["type"] for node in kind["nodes"]) == INSIDE[file.stem]
    assert [socket["name"] for socket in outer["inputs"]] == [socket["name"] for socket in kind["inputs"]]
    assert {"model", "clip"} <= {socket["name"] for socket in outer["inputs"]}
    assert {"MODEL", "CLIP"} <= {socket["name"] for socket in outer["outputs"]}
    for node in kind["nodes"]:
        widgets = [spec for spec in _specs(info[node["type"]]) if _is_widget(spec[1], spec[2])]
        assert len(node["widgets_values"]) == len(widgets) + sum(_extra_widgets(*spec) for spec in widgets), node[
            "type"
        ]


@pytest.mark.parametrize("file", BLUEPRINTS, ids=lambda file: file.stem)
def test_the_example_has_the_blueprints_inside(file):
    kinds = json.loads((ROOT / "example_workflows" / "one_node.json").read_text())["definitions"]["subgraphs"]
    same = next(kind for kind in kinds if kind["name"] == file.stem)
    assert wires(same) == wires(definition(file))


def wires(kind: dict) -> dict:
    """All of a subgraph but what a user types."""
    nodes = [{key: value for key, value in node.items() if key != "widgets_values"} for node in kind["nodes"]]
    return kind | {"nodes": nodes}


def test_the_example_runs_and_draws_a_grid(server, info):
    graph = mini_example(info, json.loads((ROOT / "example_workflows" / "one_node.json").read_text()))
    for node in graph.values():
        node["inputs"] |= {"templates": 4} if node["class_type"] == "ErasePro_Solve" else {}
        node["inputs"] |= {"steps": 4, "cfg": 3.0} if node["class_type"] == "ErasePro_Compare" else {}
    result = server.queue(graph).checked()
    assert graph["3:1"]["inputs"]["text"].startswith("Hokusai")
    assert any(text.startswith("erased: leak 0.") for text in result.texts.values())
    assert {"5", "6"} <= set(result.images)


def test_a_host_gets_only_the_keywords_that_it_knows(host):
    """One unknown keyword in a schema would keep the whole pack out."""

    @dataclass
    class Older:
        name: str

    @dataclass
    class Newer(Older):
        search_aliases: list[str]

    known = pack.module("nodes.sockets").known
    assert known(Older, search_aliases=["x"]) == {}
    assert known(Newer, search_aliases=["x"]) == {"search_aliases": ["x"]}


def node_schemas(io):
    """What every node says of itself, by id."""
    pack.module("nodes.host").register_folder()
    made = [each for each in vars(pack.module("nodes")).values() if isinstance(each, type)]
    schemas = [each.define_schema() for each in made if issubclass(each, io.ComfyNode)]
    return {schema.node_id: schema for schema in schemas}


ADVANCED = {
    "ErasePro_Audit": {"negative"},
    "ErasePro_Compare": {"negative", "sampler_name", "scheduler", "denoise"},
    "ErasePro_DefineConcepts": {"only_own"},
    "ErasePro_FindNames": {"seconds"},
    "ErasePro_Guard": {"allow"},
    "ErasePro_Save": {"precision"},
    "ErasePro_Solve": {
        "schedule", "preserve_strength", "templates", "tolerance", "method", "own_tokens", "forms",
    },
}  # fmt: skip


def test_a_newer_host_gets_other_names_of_every_node_and_what_few_need(host, info, monkeypatch):
    """The host of the tests has neither keyword: its own classes get them here, as newer ones have them."""
    io = importlib.import_module("comfy_api.latest").io

    @dataclass
    class Schema(io.Schema):
        search_aliases: list[str] = field(default_factory=list)

    def newer(kind):
        def made(*words, advanced=False, **keywords):
            given = kind(*words, **keywords)
            given.advanced = advanced
            return given

        return made

    monkeypatch.setattr(io, "Schema", Schema)
    for name in ("String", "Int", "Float", "Combo", "Boolean"):
        monkeypatch.setattr(getattr(io, name), "Input", newer(getattr(io, name).Input))
    schemas = node_schemas(io)
    assert set(schemas) == {name for name in info if name.startswith("ErasePro_")}
    assert all("unlearn" in schema.search_aliases for schema in schemas.values())
    marked = {id: {each.id for each in s.inputs if getattr(each, "advanced", False)} for id, s in schemas.items()}
    assert {id: names for id, names in marked.items() if names} == ADVANCED
