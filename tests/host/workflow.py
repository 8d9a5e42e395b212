"""Turns a workflow as the page saves it into the graph that ComfyUI's server runs, as the page does on Run.

A saved workflow stores widget values by position; the server wants them by name, and names and order come from the
server's own description of its nodes (`Client.object_info`).
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.host.client import ApiGraph

Workflow = dict[str, Any]
Node = dict[str, Any]
Source = tuple[str, int]
"""Node id and output slot."""

RUNNING, MUTED, BYPASSED = 0, 2, 4
NOTES = ("Note", "MarkdownNote")
WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
EMPTY = {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False}
SEEDS = ("seed", "noise_seed")
"""Inputs the page gives a second widget, "control after generate", even if the node did not ask for it."""


class WorkflowError(Exception):
    """The workflow cannot be run on this ComfyUI."""


@dataclass(frozen=True)
class Constant:
    """A value that a primitive node hands to a widget."""

    value: Any


def to_api(workflow: Workflow, object_info: dict[str, Any]) -> ApiGraph:
    """The graph of a saved workflow, without notes, muted nodes, and what only passes through; subgraphs are opened.

    Raises:
        WorkflowError: a node type is unknown to this ComfyUI.
    """
    graph = _Graph(opened(workflow))
    return {str(node["id"]): _api_node(node, graph, object_info) for node in graph.running()}


def opened(workflow: Workflow) -> Workflow:
    """The same workflow with the nodes of each subgraph in place of the node that stands for it.

    Node 2 inside the subgraph of node 3 gets the id `3:2`. The values of its widgets are those of node 3.
    """
    kinds = {each["id"]: each for each in workflow.get("definitions", {}).get("subgraphs", [])}
    flat = {key: value for key, value in copy.deepcopy(workflow).items() if key != "definitions"}
    flat["links"] = [{"id": id, "origin_id": o, "origin_slot": s, **_target(link)} for link in flat["links"]
                     for id, (o, s) in [_link(link)]]  # fmt: skip
    for node in [node for node in flat["nodes"] if node["type"] in kinds]:
        _open(flat, node, kinds[node["type"]])
    return flat


def _target(link: Any) -> dict[str, Any]:
    return {key: link[key] for key in ("target_id", "target_slot")} if isinstance(link, dict) else dict(
        zip(("target_id", "target_slot"), link[3:5], strict=True)
    )  # fmt: skip


INSIDE, OUTSIDE = -10, -20
"""Ids that the links of a subgraph have in place of its inputs and outputs."""


def _open(flat: Workflow, node: Node, kind: dict[str, Any]) -> None:
    """Puts the nodes of a subgraph into a flat workflow, for the node that stands for it."""
    inner: dict[Any, Node] = {each["id"]: copy.deepcopy(each) for each in kind["nodes"]}
    names = {id: f"{node['id']}:{id}" for id in inner}
    widgets = [socket["name"] for socket in node["inputs"] if socket.get("widget")]
    values = dict(zip(widgets, node["widgets_values"], strict=True))
    given = {socket["name"]: socket.get("link") for socket in node["inputs"]}
    origins = {link["id"]: (link["origin_id"], link["origin_slot"]) for link in flat["links"]}
    for link in kind["links"]:
        new, (origin, slot) = f"{node['id']}:{link['id']}", (link["origin_id"], link["origin_slot"])
        name = kind["inputs"][slot]["name"] if origin == INSIDE else None
        if link["target_id"] == OUTSIDE:
            for outer in flat["links"]:
                if (outer["origin_id"], outer["origin_slot"]) == (node["id"], link["target_slot"]):
                    outer |= {"origin_id": names[origin], "origin_slot": slot}
            continue
        socket = next(each for each in inner[link["target_id"]]["inputs"] if each.get("link") == link["id"])
        socket["link"] = None
        if name in values and given[name] is None:
            inner[link["target_id"]].setdefault("promoted", {})[socket["name"]] = values[name]
        elif name is None or given[name] is not None:
            origin, slot = (names[origin], slot) if name is None else origins[given[name]]
            flat["links"].append({"id": new, "origin_id": origin, "origin_slot": slot})
            socket["link"] = new
    flat["nodes"].remove(node)
    flat["nodes"] += [each | {"id": names[id]} for id, each in inner.items()]


LOADERS = {"CheckpointLoaderSimple": 0, "UNETLoader": 0, "CLIPLoader": 1, "VAELoader": 2}
"""The nodes that load MODEL, CLIP and VAE, together or each its own, and which of the three the first output is."""


def replace_loader(workflow: Workflow, loader: str = "MiniLoader", widgets: Sequence[Any] = ()) -> Workflow:
    """The same workflow with one node that gives MODEL, CLIP and VAE in place of all that load them."""
    changed = copy.deepcopy(workflow)
    first = {node["id"]: LOADERS[node["type"]] for node in changed["nodes"] if node["type"] in LOADERS}
    one = min(first, default=None)
    changed["nodes"] = [node for node in changed["nodes"] if node["id"] == one or node["id"] not in first]
    for node in changed["nodes"]:
        if node["id"] == one:
            node.update(type=loader, inputs=[], widgets_values=[*widgets], properties={})
    for link in changed["links"]:
        if link[1] in first:
            link[1:3] = one, link[2] + first[link[1]]
    return changed


def with_file(workflow: Workflow, file: str) -> Workflow:
    """The second step of the example save_and_load: its muted half, which loads a file, runs, and nothing is solved."""
    changed = copy.deepcopy(workflow)
    for node in changed["nodes"]:
        if node["type"] in ("ErasePro_Solve", "ErasePro_Save"):
            node["mode"] = MUTED
        elif _mode(node) == MUTED:
            node["mode"] = RUNNING
        if node["type"] == "ErasePro_Load":
            node["widgets_values"] = [file]
    return changed


class _Graph:
    """Nodes and links of a workflow, by id."""

    def __init__(self, workflow: Workflow):
        self.nodes: dict[Any, Node] = {node["id"]: node for node in workflow["nodes"]}
        self.links = dict(map(_link, workflow["links"]))

    def running(self) -> Iterator[Node]:
        """The nodes that the server will see."""
        for node in self.nodes.values():
            if node["type"] not in (*NOTES, "Reroute", "PrimitiveNode") and _mode(node) not in (MUTED, BYPASSED):
                yield node

    def source(self, link: Any) -> Source | Constant | None:
        """Where a link gets its value, through reroutes and bypassed nodes; None when nothing arrives."""
        if link is None or link not in self.links:
            return None
        origin, slot = self.links[link]
        node = self.nodes[origin]
        if node["type"] == "PrimitiveNode":
            return Constant(node["widgets_values"][0])
        if node["type"] == "Reroute":
            return self.source(node["inputs"][0].get("link"))
        if _mode(node) == BYPASSED:
            return self.source(_bypass(node, slot))
        return None if _mode(node) == MUTED else (str(origin), slot)


def _link(link: Any) -> tuple[Any, tuple[Any, int]]:
    """Link id -> origin node id and slot; links are lists, or objects in newer files."""
    if isinstance(link, dict):
        return link["id"], (link["origin_id"], link["origin_slot"])
    return link[0], (link[1], link[2])


def _mode(node: Node) -> int:
    return node.get("mode", 0)


def _bypass(node: Node, slot: int) -> Any:
    """The link a bypassed node passes on at an output: of the input at the same place, else the first of the type."""
    wanted = node["outputs"][slot]["type"]
    inputs = node.get("inputs", [])
    for candidate in [*inputs[slot : slot + 1], *inputs]:
        if candidate["type"] in (wanted, "*"):
            return candidate.get("link")
    return None


def _api_node(node: Node, graph: _Graph, object_info: dict[str, Any]) -> dict[str, Any]:
    if node["type"] not in object_info:
        raise WorkflowError(f"Node {node['id']} has the type {node['type']}, which this ComfyUI does not know.")
    inputs = _widget_values(node, _specs(object_info[node["type"]])) | node.get("promoted", {})
    for socket in node.get("inputs", []):
        source = graph.source(socket.get("link"))
        if isinstance(source, Constant):
            inputs[socket["name"]] = source.value
        elif source:
            inputs[socket["name"]] = list(source)
    return {"class_type": node["type"], "inputs": inputs, "_meta": {"title": node.get("title", node["type"])}}


def _specs(info: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name, type and options of each input, in the order of the page."""
    for group in ("required", "optional"):
        for name, spec in info["input"].get(group, {}).items():
            yield name, spec[0], spec[1] if len(spec) > 1 else {}


def _widget_values(node: Node, specs: Iterator[tuple[str, Any, dict[str, Any]]]) -> dict[str, Any]:
    """Widget name -> saved value; inputs added to the node after the file was saved get their defaults."""
    saved = node.get("widgets_values") or []
    widgets = [(name, kind, options) for name, kind, options in specs if _is_widget(kind, options)]
    if isinstance(saved, dict):
        return {name: saved.get(name, _default(kind, options)) for name, kind, options in widgets}
    values, position = {}, 0
    for name, kind, options in widgets:
        values[name] = saved[position] if position < len(saved) else _default(kind, options)
        position += 1 + _extra_widgets(name, kind, options)
    return values


def _is_widget(kind: Any, options: dict[str, Any]) -> bool:
    return (isinstance(kind, list) or kind in WIDGET_TYPES) and not options.get("forceInput")


def _extra_widgets(name: str, kind: Any, options: dict[str, Any]) -> int:
    """How many further values the page saves after this one: "control after generate" and the upload button."""
    controlled = options.get("control_after_generate", kind == "INT" and name in SEEDS)
    return int(bool(controlled)) + int(bool(options.get("image_upload")))


def _default(kind: Any, options: dict[str, Any]) -> Any:
    choices = kind if isinstance(kind, list) else options.get("options")
    if choices:
        return options.get("default", choices[0])
    return options.get("default", EMPTY.get(str(kind), ""))
