"""How far leak and drift speak for pictures: both, of the same erasures, in the world of real words.

`python -m benchmarks.pictures` erases each task in several ways and at several strengths, draws the same sentences on
which it measures leak and drift, and writes build/bench/pictures.json and a plot beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import pack

pack.comfy_on_cpu()

import torch  # noqa: E402
from matplotlib import pyplot  # noqa: E402

from benchmarks.words import nodes_of, request_of  # noqa: E402
from erasepro_core import Options, solve_request  # noqa: E402
from erasepro_core.report import NOT_ERASED  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import family  # noqa: E402
from tests.words import model as words  # noqa: E402
from tests.words.erased import Evaluation  # noqa: E402
from tests.words.tasks import TASKS, Task  # noqa: E402

host = pack.module("nodes.host")
CHOSEN = ("object", "vehicle", "painter", "painter of one piece", "person", "explicit content", "colour", "six objects")
WAYS = {
    "default": Options(),
    "layers alone": Options.named(own_tokens=False),
    "cross-attention alone": Options.named(own_tokens=False, where="cross-attention"),
    "coarse": Options.named(own_tokens=False, tolerance=3.0),
}
STRENGTHS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Row = dict[str, Any]


def rows(task: Task, subject: Subject, asked: argparse.Namespace) -> Iterator[Row]:
    """A row for the unedited model and for every way and strength."""
    evaluation = Evaluation(task, subject, pack.PACK, count=asked.count, steps=asked.steps)
    yield _row(task, "unedited", 0.0, evaluation(subject))
    for way, options in WAYS.items():
        original = host.HostPath(subject.model, subject.clip)
        updates = solve_request(request_of(nodes_of(task)), options, original).updates
        for strength in STRENGTHS:
            model, clip = host.with_erasure(subject.model, subject.clip, updates, strength)
            edited = Subject(model, clip, subject.vae)
            yield _row(task, way, strength, evaluation(edited))


def _row(task: Task, way: str, strength: float, found: dict[str, Any]) -> Row:
    row = {"task": task.name, "way": way, "strength": strength} | found
    print(json.dumps(row), flush=True)
    return row


def points(found: Sequence[Row]) -> list[tuple[float, float]]:
    """Leak and target rate, as a share of the unedited model's, of every erasure in every probe that drew it before."""
    before = {
        (r["task"], p): r["shown"][p]["target_rate"]
        for r in found
        if not r["strength"]
        for p in r["shown"]
        if r["shown"][p]
    }
    return [
        (row["leak"][probe], shown["target_rate"] / before[row["task"], probe])
        for row in found
        if row["strength"]
        for probe, shown in row["shown"].items()
        if shown and before[row["task"], probe] > 0.5
    ]


def bins(found: Sequence[Row], width: float = 0.1) -> list[tuple[float, int, float, float]]:
    """Target rate by leak: `(lower edge, how many, mean, highest)`."""
    groups: dict[int, list[float]] = {}
    for leak, rate in sorted(points(found)):
        groups.setdefault(int(leak / width), []).append(rate)
    return [(edge * width, len(rates), sum(rates) / len(rates), max(rates)) for edge, rates in groups.items()]


def plot(found: Sequence[Row], file: Path) -> None:
    """Every erasure as a dot, leak across, target rate up, and the leak above which Solve refuses."""
    figure, axes = pyplot.subplots(figsize=(5.2, 3.2))
    leaks, rates = zip(*points(found), strict=True)
    axes.scatter(leaks, [100 * rate for rate in rates], s=14, alpha=0.6)
    axes.axvline(NOT_ERASED, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("leak in the text")
    axes.set_ylabel("target still drawn, % of before")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Every chosen task; rows to a file, the relation to the terminal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=40, help="sentences and pictures a probe")
    parser.add_argument("--steps", type=int, default=10, help="sampling steps")
    parser.add_argument("--task", action="append", choices=[task.name for task in TASKS], help="only these")
    parser.add_argument("--out", type=Path, default=pack.ROOT / "build" / "bench" / "pictures.json")
    asked = parser.parse_args()
    with torch.inference_mode(), family.known():
        subject = Subject(*words.load())
        tasks = [task for task in TASKS if task.name in (asked.task or CHOSEN)]
        found = [row for task in tasks for row in rows(task, subject, asked)]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    plot(found, asked.out.with_suffix(".png"))
    print("| leak from | erasures | target drawn, mean | highest |\n| --- | --- | --- | --- |")
    for edge, count, rate, highest in bins(found):
        print(f"| {edge:.1f} | {count} | {100 * rate:.0f} % | {100 * highest:.0f} % |")


if __name__ == "__main__":
    main()
