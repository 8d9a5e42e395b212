"""The main job, end to end: a real ComfyUI erases an object and a style from the mini model, through our nodes.

Writes to build/demo: `before_after.png` (the example workflow), a grid and a report for each task, and `summary.json`.
"""

import json
import sys
import time
from typing import Any

from PIL import Image

from tests.host.client import ApiGraph, Client, ImageFile, Progress
from tests.host.server import CONTROL, comfyui
from tests.host.workflow import BYPASSED, replace_loader, to_api
from tests.pack import ROOT

OUT = ROOT / "build" / "demo"
EXAMPLE = ROOT / "example_workflows" / "erase_one_concept.json"
LATENTS = ("EmptyLatentImage", "EmptySD3LatentImage", "EmptyFlux2LatentImage", "EmptyHunyuanLatentVideo")
COUNT, STEPS = 24, 10
TASKS = ("object", "style")
METHODS = {"erasepro": "ErasePro", "uce": "UCE"}
SCALE = 12


def main() -> None:
    """Runs everything and prints the table."""
    began = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    with comfyui(OUT / "comfyui") as url:
        client = Client(url)
        info = client.object_info()
        print(f"ComfyUI is up after {time.monotonic() - began:.0f} s.")
        example(client, info)
        cells = {task: {key: evaluate(client, info, task, key) for key in METHODS} for task in TASKS}
    setup = json.loads((ROOT / "build" / "setup.json").read_text())["seconds"]
    total = time.monotonic() - began + setup
    summary = {t: {key: figures(cell, setup, total) for key, cell in by.items()} for t, by in cells.items()}
    (OUT / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(table(summary))
    print(f"Pictures, reports and figures: {OUT.relative_to(ROOT)}. {total:.0f} s in all, {setup:.0f} of them set-up.")


def example(client: Client, info: dict[str, Any]) -> None:
    """Runs the workflow that ships, with the mini model as the checkpoint, and keeps its picture."""
    graph = mini_example(info)
    result = client.queue(graph, Bar("example workflow")).checked()
    (file,) = next(iter(result.images.values()))
    enlarged(client.image(file)).save(OUT / "before_after.png")
    print("\n".join(result.texts.values()))


def mini_example(info: dict[str, Any], workflow: dict[str, Any] | None = None, batch: int = 1) -> ApiGraph:
    """An example workflow for the mini model: another loader, the size of picture that it draws, and its ControlNet."""
    changed = replace_loader(workflow or json.loads(EXAMPLE.read_text()))
    for node in changed["nodes"]:
        if node["type"].startswith("ModelSampling"):
            node["mode"] = BYPASSED
    graph = to_api(changed, info)
    for node in graph.values():
        if node["class_type"] in LATENTS:
            node |= {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": batch}}
        if node["class_type"] in ("KSampler", "ErasePro_Compare"):
            node["inputs"] |= {"cfg": 3.0}
        if node["class_type"] == "ControlNetLoader":
            node["inputs"] |= {"control_net_name": CONTROL}
        if node["class_type"] == "ImageScale":  # in front of Canny
            node["inputs"] |= {"width": 64, "height": 64, "upscale_method": "bilinear"}
        if node["class_type"] == "SaveAnimatedWEBP":
            node |= {"class_type": "SaveImage", "inputs": {k: node["inputs"][k] for k in ("images", "filename_prefix")}}
    return graph


def evaluate(client: Client, info: dict[str, Any], task: str, key: str) -> dict[str, Any]:
    """Erases one task by one method and measures it; keeps the grid and the report."""
    result = client.queue(evaluation_graph(info, task, METHODS[key]), Bar(f"{task}, {METHODS[key]}")).checked()
    cell = json.loads(result.texts["evaluate"])
    grid(client, result.images["evaluate"]).save(OUT / f"{task}_{key}.png")
    (OUT / f"{task}_{key}.md").write_text(f"{result.texts['solve']}\n\n{cell.pop('table')}\n")
    return cell


def evaluation_graph(info: dict[str, Any], task: str, method: str, count: int = COUNT, steps: int = STEPS) -> ApiGraph:
    """Loader, Define Concepts (one node for each concept of the task), Solve, Apply and the measuring node."""
    from tests.mini.sentences import sentences
    from tests.mini.tasks import TASKS as ALL
    from tests.mini.tasks import everyday

    chosen, prompts = next(each for each in ALL if each.name == task), "\n".join(everyday())
    graph: ApiGraph = {"loader": {"class_type": "MiniLoader", "inputs": {}}}
    chain: dict[str, Any] = {}
    for index, edit in enumerate(chosen.edits):
        inputs = {"text": edit.line, "kind": edit.kind, "preserve": "\n".join(chosen.preserve), "everyday": prompts}
        inputs |= {"sentences": sentences(edit.kind), "only_own": True} | chain
        graph[f"define{index}"] = {"class_type": "ErasePro_DefineConcepts", "inputs": inputs}
        chain = {"more_concepts": [f"define{index}", 0]}
    source = {"model": ["loader", 0], "clip": ["loader", 1]}
    options = defaults(info["ErasePro_Solve"]) | {"method": method}
    concepts = {"concepts": chain["more_concepts"]}
    graph["solve"] = {"class_type": "ErasePro_Solve", "inputs": {**source, **concepts, **options}}
    graph["apply"] = {"class_type": "ErasePro_Apply", "inputs": {**source, "erasure": ["solve", 0], "strength": 1.0}}
    erased = {"erased_model": ["apply", 0], "erased_clip": ["apply", 1], "erasure": ["solve", 0]}
    measured = {**source, "vae": ["loader", 2], **erased, "task": task, "count": count, "steps": steps}
    graph["evaluate"] = {"class_type": "MiniEvaluate", "inputs": measured}
    return graph


def defaults(node: dict[str, Any]) -> dict[str, Any]:
    """Every widget of a node at its default."""
    specs = node["input"]["required"].items()
    return {name: spec[1]["default"] for name, spec in specs if len(spec) > 1 and "default" in spec[1]}


def figures(cell: dict[str, Any], setup: float, total: float) -> dict[str, Any]:
    """The figures of one method on one task, under the names that other programs read."""
    report = cell["report"]
    rates = {name: cell["target_rate"][name] for name in ("explicit", "unseen", "aliases")}
    return {
        "residual_max": report["residual_max"],
        "leak": {name: cell["leak"][name] for name in ("training", "unseen", "two_object", "aliases")},
        "drift": cell["drift"],
        "target_rate": rates,
        "anchor_rate": cell["anchor_rate"],
        "preserve_accuracy": cell["preserve_accuracy"],
        "seconds": {"setup": setup, "solve": report["seconds"], "total": total},
    }


ROWS = (
    ("residual, worst layer", lambda c: f"{c['residual_max']:.1e}"),
    ("leak, training sentences", lambda c: f"{c['leak']['training']:.3f}"),
    ("leak, unseen sentences", lambda c: f"{c['leak']['unseen']:.3f}"),
    ("leak, two objects", lambda c: f"{c['leak']['two_object']:.3f}"),
    ("leak, listed aliases", lambda c: f"{c['leak']['aliases']:.3f}"),
    ("drift, neutral captions", lambda c: f"{c['drift']:.3f}"),
    ("target still drawn, explicit", lambda c: f"{c['target_rate']['explicit']:.0%}"),
    ("target still drawn, unseen", lambda c: f"{c['target_rate']['unseen']:.0%}"),
    ("target still drawn, aliases", lambda c: f"{c['target_rate']['aliases']:.0%}"),
    ("anchor drawn instead", lambda c: f"{c['anchor_rate']:.0%}"),
    ("others still right, before", lambda c: f"{c['preserve_accuracy']['before']:.0%}"),
    ("others still right, after", lambda c: f"{c['preserve_accuracy']['after']:.0%}"),
    ("seconds to solve", lambda c: f"{c['seconds']['solve']:.1f}"),
)


def table(summary: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The summary for a person."""
    heads = [(task, key) for task in summary for key in summary[task]]
    lines = [" " * 30 + "".join(f"{task + ', ' + METHODS[key]:>20}" for task, key in heads)]
    lines += [f"{name:<30}" + "".join(f"{show(summary[t][k]):>20}" for t, k in heads) for name, show in ROWS]
    return "\n".join(lines)


def grid(client: Client, files: list[ImageFile]) -> Image.Image:
    """Pictures in two rows, before above after, from files in the order before, after, before, after ..."""
    pictures = [enlarged(client.image(file)) for file in files]
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * len(pictures) // 2, 2 * height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index // 2 * width, index % 2 * height))
    return sheet


def enlarged(picture: Image.Image) -> Image.Image:
    """The mini model's pixels are few; show them as squares."""
    return picture.resize((picture.width * SCALE, picture.height * SCALE), Image.Resampling.NEAREST)


class Bar:
    """A progress bar in the terminal, one line for each node that reports steps."""

    def __init__(self, title: str):
        self.title = title

    def __call__(self, progress: Progress) -> None:
        """Draws the bar; plain lines where the output is not a terminal."""
        done = progress.value / progress.maximum
        if sys.stdout.isatty():
            bar = ("#" * round(30 * done)).ljust(30, ".")
            end = "\n" if done >= 1 else ""
            print(f"\r{self.title:<22} [{bar}] {progress.value:.0f}/{progress.maximum:.0f}", end=end, flush=True)
        elif done >= 1:
            print(f"{self.title}: {progress.maximum:.0f} steps done", flush=True)


if __name__ == "__main__":
    main()
