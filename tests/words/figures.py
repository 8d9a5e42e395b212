"""Figures of the unedited model: how often its pictures show what the sentence asks for.

Run it from the repository root, after ``make setup``::

    build/venv/bin/python -m tests.words.figures
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from tests import pack

    pack.comfy_on_cpu()

import torch

from . import classifier, model
from .captions import HELD_OUT, TRAINED, Chooser, lesson
from .sample import sample

FIGURES = Path(__file__).parent / "figures.json"
SETS = {"trained": TRAINED, "held out": HELD_OUT}


def measure(
    parts: tuple[Any, Any, Any], name: str, count: int, *, seed: int = 1000, steps: int = 20
) -> dict[str, float]:
    """Accuracy of each head, on `count` sentences of all registers."""
    choose = Chooser(torch.Generator().manual_seed(seed))
    asked = [lesson(choose, SETS[name]) for _ in range(count)]
    images = sample(*parts, [each.caption for each in asked], seed=seed, steps=steps)
    return classifier.accuracy(images, [each.answers() for each in asked])


def write(training: dict[str, float] | None = None, count: int = 300) -> None:
    """Measure everything the card quotes and write it down, beside how the model was trained."""
    before = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    parts = model.load()
    figures = {"training": training or before.get("training"), "classifier on renders": classifier.evaluate()}
    for name in SETS:
        for steps in (20, 10):
            figures[f"{name}, {steps} steps"] = measure(parts, name, count, steps=steps)
            print(name, steps, figures[f"{name}, {steps} steps"], flush=True)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(2)
    with torch.inference_mode():
        write()
