"""How completely concepts are gone from the mini model and what else moved, against UCE: every task, every method.

`make bench-quality` runs 100 images a cell and writes build/bench/quality.json; records/ keeps what was measured.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from tests import pack

pack.comfy_where_asked()

import torch  # noqa: E402

from erasepro_core import Options, Report, Request, solve_request, verify  # noqa: E402
from tests.mini import model  # noqa: E402
from tests.mini.erased import Evaluation, Subject  # noqa: E402
from tests.mini.request import mini_request  # noqa: E402
from tests.mini.tasks import TASKS, Task, everyday  # noqa: E402

host = pack.module("nodes.host")
METHODS = {
    "erasepro": Options(),
    "uce": Options.named(method="UCE"),
    "uce_templates": Options.named(method="UCE with templates"),
}


def request_of(task: Task) -> Request:
    """The task as Define Concepts nodes would state it."""
    preserve, prompts = "\n".join(task.preserve), "\n".join(everyday())
    requests = [mini_request(edit.line, edit.kind, preserve, prompts) for edit in task.edits]
    whole = requests[0]
    for other in requests[1:]:
        whole = whole.joined(other)
    return whole


def erase(subject: Subject, request: Request, options: Options) -> tuple[Subject, Report]:
    """A clone without the concepts, and the report on it."""
    original = host.HostPath(subject.model, subject.clip)
    solution = solve_request(request, options, original)
    model, clip = host.with_erasure(subject.model, subject.clip, solution.updates, 1.0)
    return Subject(model, clip, subject.vae), verify(solution, original, host.HostPath(model, clip), {})


def measure(task: Task, methods: dict[str, Options], count: int, steps: int) -> dict[str, Any]:
    """Figures of every method on one task."""
    subject = Subject(*model.load())
    evaluation = Evaluation(task, subject, pack.PACK, count=count, steps=steps)
    figures = {}
    for name, options in methods.items():
        edited, report = erase(subject, request_of(task), options)
        figures[name] = evaluation(edited) | {"report": report.as_dict()}
        print(line(task.name, name, figures[name]), flush=True)
    return figures


HEAD = (
    "| task | method | start | residual | leak: training | unseen | two objects | aliases | unlisted | drift | "
    "target: explicit | unseen | aliases | long | by itself | anchor | d | others before | after | moved | related | "
    "s |"
)


def line(task: str, method: str, cell: dict[str, Any]) -> str:
    """One row of the table in Markdown."""
    leak, rate, report = cell["leak"], cell["target_rate"], cell["report"]
    start = report["start"] if method == "erasepro" else "-"
    columns = [task, method, start, f"{report['residual_max']:.0e}"]
    columns += [_number(leak.get(name)) for name in ("training", "unseen", "two_object", "aliases", "unlisted")]
    columns += [_number(cell["drift"])]
    columns += [_percent(rate.get(name)) for name in ("explicit", "unseen", "aliases", "long")]
    columns += [_percent(max(cell["target_rate_of_anchor"].values()))]
    columns += [_percent(cell["anchor_rate"]), _percent(cell["distance_ratio"])]
    columns += [_percent(cell["preserve_accuracy"][when]) for when in ("before", "after")]
    columns += [f"{cell['preserve_distance']:.4f}", _percent(cell.get("related_kept")), f"{report['seconds']:.1f}"]
    return "| " + " | ".join(map(str, columns)) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def main() -> None:
    """Every task, every method; figures to a file, the table to the terminal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="images a cell")
    parser.add_argument("--steps", type=int, default=10, help="sampling steps")
    parser.add_argument("--task", action="append", choices=[task.name for task in TASKS], help="only these")
    parser.add_argument("--out", type=Path, default=pack.ROOT / "build" / "bench" / "quality.json")
    asked = parser.parse_args()
    began = time.monotonic()
    print(f"{HEAD}\n{'| --- ' * HEAD.count('|')}"[: -len("| --- ")] + "|", flush=True)
    with torch.inference_mode():
        tasks = [task for task in TASKS if not asked.task or task.name in asked.task]
        figures = {task.name: measure(task, METHODS, asked.count, asked.steps) for task in tasks}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"count": asked.count, "steps": asked.steps, "tasks": figures}, indent=1) + "\n")
    print(f"{time.monotonic() - began:.0f} s; figures in {asked.out}")


if __name__ == "__main__":
    main()
