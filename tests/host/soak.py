"""Random graphs with random options, one after the other, on a real server: `python -m tests.host.soak`.

Every graph also draws a picture without an erasure. It fails at an error that no bad input explains, at a picture
without an erasure that is not bit for bit the first one, and at memory that grows after the warm-up.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from typing import Any

import psutil

from tests.host.client import ApiGraph, Client, Result
from tests.host.graphs import node, pictures, solved, with_picture
from tests.host.server import comfyui

TEXTS = (
    "circle -> square",
    "heart | valentine -> triangle",
    "circle | disc -> square\nheart -> moon",
    "red circle -> blue square",
)
BAD = {  # a text that is refused, and what the refusal says
    "circle ->": "has nothing after the arrow",
    "circle -> square\nsquare -> star": "is the anchor of",
    "circle -> circle": "is its own anchor",
    "embedding:x -> square": "not plain words",
}
WARM_UP = 0.4
"""Share of the time after which memory must be flat."""
GROWTH = 64 * 2**20
"""Bytes that may come and go between two looks at a server that caches results."""


def graph_of(dice: random.Random, info: dict[str, Any]) -> tuple[ApiGraph, str | None]:
    """A random graph, and what the error of one that must fail says."""
    bad = dice.random() < 0.2
    text = dice.choice([*BAD] if bad else TEXTS)
    choices = {name: info["ErasePro_Solve"]["input"]["required"][name] for name in ("where", "preserve", "method")}
    options = {name: dice.choice(spec[1].get("options") or spec[0]) for name, spec in choices.items()}
    options["schedule"] = "progressive"
    graph = solved(info, text, templates=dice.randint(2, 4), tolerance=dice.choice([0.1, 0.2]), **options)
    graph["apply"]["inputs"]["strength"] = dice.choice([1.0, 1.0, 0.0, 0.5])
    both: dict[str, Any] = {"model": ["apply", 0], "clip": ["apply", 1]}
    graph = with_picture(
        graph, "erased", *both.values(), prompt=dice.choice(["a red circle", "", "a (moon:1.3) BREAK x"])
    )
    graph = with_picture(graph, "untouched", ["loader", 0], ["loader", 1])
    if dice.random() < 0.3:
        graph["report"] = node("ErasePro_Report", erasure=["solve", 0])
    if dice.random() < 0.3:
        graph["audit"] = node("ErasePro_Audit", threshold=0.3, prompts="", negative="", erasure=["solve", 0], **both)
    if dice.random() < 0.3:
        save = {"filename_prefix": "erasepro/soak", "precision": dice.choice(["float32", "float16"])}
        graph["save"] = node("ErasePro_Save", erasure=["solve", 0], **save)
    if not bad and dice.random() < 0.2:
        graph["guard"] = node("ErasePro_Guard", erasure=["solve", 0], threshold=0.3, **both)
        graph = with_picture(graph, "guarded", ["guard", 0], ["guard", 1])
        graph["apply"]["inputs"]["strength"] = 0.0
        return graph, "not erased from this MODEL and CLIP"
    return graph, BAD.get(text)


def expected(result: Result, error: str | None) -> bool:
    """Whether a run ended as its graph must."""
    if error is None:
        return result.error is None
    return any(error in each.message for each in result.errors)


def main() -> None:
    """Runs for the given seconds (600) with the given seed (the time) and prints cases, seconds and memory."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    dice, count, memory = random.Random(seed), Counter(), []
    with comfyui() as url:
        client, began = Client(url), time.monotonic()
        info = client.object_info()
        (untouched,) = pictures(
            client, with_picture({"loader": node("MiniLoader")}, "p", ["loader", 0], ["loader", 1]), "p"
        )
        while time.monotonic() - began < seconds:
            graph, error = graph_of(dice, info)
            result = client.queue(graph)
            if not expected(result, error):
                raise SystemExit(
                    f"seed {seed}, case {sum(count.values())}: expected {error}, got {result.errors}\n{graph}"
                )
            if "untouched" in result.images:
                drawn = client.image(result.images["untouched"][0]).convert("RGB").tobytes()
                if drawn != untouched:
                    raise SystemExit(f"seed {seed}: the picture without an erasure has changed.\n{graph}")
            count["refused" if error else "ran"] += 1
            memory.append((time.monotonic() - began, _resident()))
    _judge(memory, count, seed, seconds)


def _judge(memory: list[tuple[float, int]], count: Counter, seed: int, seconds: float) -> None:
    """Prints the figures; raises SystemExit if memory grew."""
    warm = [used for when, used in memory if when > WARM_UP * seconds]
    third = max(1, len(warm) // 3)
    growth = min(warm[-third:]) - min(warm[:third])
    start, middle, end = (used / 2**20 for used in (memory[0][1], warm[0], warm[-1]))
    print(
        f"seed {seed}: {count['ran']} graphs ran, {count['refused']} were refused as they must be, {seconds:.0f} s; "
        f"memory {start:.0f} MB after the first graph, {middle:.0f} MB after the warm-up, {end:.0f} MB at the end"
    )
    if growth > GROWTH:
        raise SystemExit(f"memory grew by {growth / 2**20:.0f} MB after the warm-up")


def _resident() -> int:
    """Bytes of memory of the server, which is a child of this process."""
    return sum(child.memory_info().rss for child in psutil.Process(os.getpid()).children(recursive=True))


if __name__ == "__main__":
    main()
