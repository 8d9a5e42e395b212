"""Draws the pictures of the example workflows, as the Templates browser shows them, from runs on the mini model."""

import json
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.host.cards import Row, card
from tests.host.client import ApiGraph, Client, ClientError
from tests.host.demo import Bar, mini_example
from tests.host.graphs import with_picture
from tests.host.server import comfyui
from tests.host.workflow import with_file
from tests.pack import ROOT

EXAMPLES = ROOT / "example_workflows"
COPIES = ROOT / "web" / "docs" / "images"
"""The page serves help pages from web/ alone, so the pictures they show lie there as well."""
PAIR = ("before", "after")
Inputs = dict[str, dict[str, Any]]
"""Type of node -> inputs to change."""


@dataclass(frozen=True)
class Scene:
    """What the card of one example says and shows: a row a prompt, a column a model, the original first."""

    title: str
    prompts: tuple[str, ...]
    captions: tuple[str, ...] = ("",)
    columns: tuple[str, ...] = PAIR
    stopped: tuple[int, ...] = ()
    """Columns that the guard of the example keeps from being drawn."""
    changes: tuple[Inputs, ...] = ()
    """Where an example starts from a picture: it is the first column, then comes what each of these makes of it."""


FOLLOW = "ControlNetApplyAdvanced"
MOON = ("a red moon by Hokusai",)
SCENES = {
    "audit_and_guard": Scene(
        "Check, then draw", ("a red heart by Hokusai",), ("else the run stops",), ("not erased", "erased"), (0,)
    ),
    "chroma": Scene("Chroma: erase", ("a purple star by Hokusai",), ("star by Hokusai",)),
    "compare_methods": Scene(
        "Compare methods", (*MOON, "a green heart by Hokusai"), ("", ""), ("before", "UCE", "ours")
    ),
    "controlnet": Scene(
        "Along an outline", ("a photo of a red heart",), ("a strong one keeps it",), ("before", "strong", "weak"), (),
        ({FOLLOW: {"strength": 1.5, "end_percent": 1.0}}, {FOLLOW: {"strength": 0.3, "end_percent": 1.0}}),
    ),
    "edit_a_picture": Scene(
        "Edit a picture", MOON, ("low denoise keeps it",), ("before", "low", "high"), (),
        ({"KSampler": {"denoise": 0.02}}, {"KSampler": {"denoise": 1}}),
    ),
    "erase_one_concept": Scene("Erase Hokusai", MOON, ("moon by Hokusai",)),
    "erase_style_with_preserves": Scene(
        "One goes, one stays", (*MOON, "a red moon by Mondrian"), ("Hokusai: gone", "Mondrian: stays")
    ),
    "flux": Scene("Flux: erase", ("a blue moon by Hokusai",), ("moon by Hokusai",)),
    "flux2": Scene("Flux.2: erase", ("a red ring by Hokusai",), ("ring by Hokusai",)),
    "one_node": Scene("Erase in one node", MOON, ("moon by Hokusai",)),
    "qwen_image": Scene("Qwen-Image: erase", ("a green heart by Hokusai",), ("heart by Hokusai",)),
    "save_and_load": Scene("Save and load", MOON, ("from a saved file",)),
    "sdxl": Scene("SDXL: erase", ("a yellow triangle by Hokusai",), ("triangle by Hokusai",)),
    "several_concepts": Scene(
        "Three at once", ("a red heart by Hokusai", "a green circle"), ("heart by Hokusai", "circle")
    ),
    "wan": Scene("Wan, video: erase", ("a blue circle by Hokusai",), ("circle by Hokusai",)),
    "z_image": Scene("Z-Image: erase", ("a yellow square by Hokusai",), ("square by Hokusai",)),
}  # fmt: skip


def main(names: list[str]) -> None:
    """Writes example_workflows/*.jpg, all or those named, and the copies of those that help pages show."""
    with comfyui() as url:
        client = Client(url)
        info = client.object_info()
        for name in names or SCENES:
            picture = EXAMPLES / f"{name}.jpg"
            drawn(client, info, name).save(picture, quality=90)
            if (COPIES / picture.name).exists():
                shutil.copyfile(picture, COPIES / picture.name)


def drawn(client: Client, info: dict[str, Any], name: str) -> Image.Image:
    """The card of an example, its pictures drawn by the nodes of the example itself."""
    scene, graph = SCENES[name], graph_of(client, info, name)
    draw = edits if scene.changes else pictures
    rows = draw(client, graph, scene, Bar(name))
    if scene.stopped:
        guarded(client, graph)
    shown = [Row(row, caption, scene.stopped) for row, caption in zip(rows, scene.captions, strict=True)]
    return card(scene.title, scene.columns, shown)


def guarded(client: Client, graph: ApiGraph) -> None:
    """Runs an example with nothing erased.

    Raises:
        ClientError: its guard lets that pass, so that a card with a cross would not be true.
    """
    bare = {id: {**node, "inputs": {**node["inputs"]}} for id, node in graph.items()}
    for node in bare.values():
        node["inputs"] |= {"strength": 0.0} if node["class_type"] == "ErasePro_Apply" else {}
    error = client.queue(bare).error
    if error is None or error.node_type != "ErasePro_Guard":
        raise ClientError(f"The guard of the example does not stop a model with nothing erased; it says {error}.")


def graph_of(client: Client, info: dict[str, Any], name: str) -> ApiGraph:
    """The graph of an example that draws its picture."""
    workflow = json.loads((EXAMPLES / f"{name}.json").read_text())
    if name == "save_and_load":
        saved = client.queue(mini_example(info, workflow), Bar(f"{name}, first step")).checked()
        (file,) = (text.splitlines()[0] for text in saved.texts.values() if text.startswith("erasepro/"))
        workflow = with_file(workflow, file.removeprefix("erasepro/"))
    return mini_example(info, workflow)


def pictures(client: Client, graph: ApiGraph, scene: Scene, bar: Bar) -> list[list[Image.Image]]:
    """What the loader and the guard, or each Apply Erasure, of a graph draw for each prompt, in that order."""
    (loader,) = (id for id, node in graph.items() if node["class_type"] == "MiniLoader")
    last = [id for id, node in graph.items() if node["class_type"] == "ErasePro_Guard"]
    sources = [loader, *(last or (id for id, node in graph.items() if node["class_type"] == "ErasePro_Apply"))]
    shown = {"SaveImage", "PreviewImage", "ErasePro_Compare", "ErasePro_Audit", "ErasePro_Report"}
    whole = {id: node for id, node in graph.items() if node["class_type"] not in shown}
    places = [[f"{prompt} {source}" for source in sources] for prompt in scene.prompts]
    for prompt, names in zip(scene.prompts, places, strict=True):
        for source, place in zip(sources, names, strict=True):
            whole = with_picture(whole, place, [source, 0], [source, 1], prompt, steps=20, loader=loader)
    images = client.queue(whole, bar).checked().images
    return [[client.image(images[place][0]) for place in names] for names in places]


def edits(client: Client, graph: ApiGraph, scene: Scene, bar: Bar) -> list[list[Image.Image]]:
    """What the loader of a graph draws for the prompt, and what the graph makes of that picture, by its changes."""
    (loader,) = (id for id, node in graph.items() if node["class_type"] == "MiniLoader")
    source = with_picture({loader: graph[loader]}, "source", [loader, 0], [loader, 1], scene.prompts[0], loader=loader)
    (file,) = client.queue(source, bar).checked().images["source"]
    (last,) = (id for id, node in graph.items() if node["class_type"] == "PreviewImage" and decoded(graph, node))
    row = [client.image(file)]
    for inputs in scene.changes:
        changed(graph, {"LoadImage": {"image": f"{file.filename} [{file.type}]"}} | inputs)
        row.append(client.image(client.queue(graph, bar).checked().images[last][0]))
    return [row]


def decoded(graph: ApiGraph, node: dict[str, Any]) -> bool:
    """Whether a node shows what the sampler has drawn."""
    return graph[node["inputs"]["images"][0]]["class_type"] == "VAEDecode"


def changed(graph: ApiGraph, inputs: Inputs) -> ApiGraph:
    """The graph, with inputs of some types of nodes set."""
    for node in graph.values():
        node["inputs"] |= inputs.get(node["class_type"], {})
    return graph


if __name__ == "__main__":
    main(sys.argv[1:])
