"""How often an erased concept comes back from a picture: img2img, inpainting and ControlNet of the mini model.

`python -m benchmarks.edited` draws the target with the original model, hands these pictures to img2img and inpainting
and their outlines to a ControlNet, in the original and in the erased model, and lets the classifier say what the
results show. A table goes to the terminal and to build/bench/edited.json. Of an inpainted picture it sees the half that
is drawn anew, and its mirror image in place of the half that is kept: what is kept shows the target in any case.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests import pack

pack.comfy_on_cpu()

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks.quality import erase, request_of  # noqa: E402
from erasepro_core import Options  # noqa: E402
from tests.mini import control, model  # noqa: E402
from tests.mini.erased import Subject, share  # noqa: E402
from tests.mini.sample import encode, noise, sample  # noqa: E402
from tests.mini.tasks import OBJECT, PIECES, STYLE, Task  # noqa: E402

DENOISE = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
CONTROL = ((0.3, 1.0), (0.6, 1.0), (1.0, 1.0), (1.5, 1.0), (1.0, 0.5), (1.5, 0.5))
"""Strength of the ControlNet, and up to which part of the steps it acts."""
SEED, STEPS, CFG = 9000, 10, 3.0
HALF = torch.zeros(1, 16, 16)
HALF[:, :, 8:] = 1
"""The right half is drawn anew."""
NEITHER = "a nice photo , best quality"
TASKS = {task.name: task for task in (OBJECT, STYLE, PIECES)}
WHOLE = torch.ones(1, 16, 16)
WAYS = ("img2img", "inpainting", "ControlNet")
Row = dict[str, Any]


def edit(subject: Subject, pictures: Tensor, prompts: list[str], denoise: float, mask: Tensor) -> Tensor:
    """What sampling makes of some pictures `[N, 16, 16, 3]` with a prompt each, where the mask is 1; HALF twice."""
    asked, refused = encode(subject.clip, prompts), encode(subject.clip, [""])
    done = comfy.sample.sample(
        subject.model, noise(len(prompts), SEED), STEPS, CFG, "euler", "normal", [[asked, {}]], [[refused, {}]],
        subject.vae.encode(pictures), denoise=denoise, noise_mask=mask, disable_pbar=True, seed=SEED,
    )  # fmt: skip
    drawn = subject.vae.decode(done)
    half = drawn.shape[2] // 2
    return torch.cat([drawn[:, :, half:].flip(2), drawn[:, :, half:]], 2) if mask is HALF else drawn


class Sides:
    """The original and the erased model, and what both are asked: pictures of one target, its name, or neither."""

    def __init__(self, task: Task, count: int):
        self.original = Subject(*model.load())
        self.erased, _ = erase(self.original, request_of(task), Options())
        edit = task.edits[0]
        named = [sentence.replace("{}", edit.names[0]) for sentence in task.sentences(edit.patterns.explicit, count)]
        self.prompts = {"names the target": named, "names neither": [NEITHER] * count}
        self.named, self._answers = named, [edit.target_answer] * count
        self.pictures = self.draw(self.original, named, SEED + count)

    def draw(self, subject: Subject, prompts: list[str], seed: int = SEED, lines: Any = None) -> Tensor:
        """Pictures from noise, along the lines of a ControlNet if there is one."""
        parts = subject.model, subject.clip, subject.vae
        return sample(*parts, prompts, seed=seed, steps=STEPS, cfg=CFG, control=lines)

    def shown(self, draw: Callable[[Subject], Tensor]) -> dict[str, float]:
        """The share of pictures that show the target, before and after."""
        both = {"original": self.original, "erased": self.erased}
        return {side: share(draw(subject), self._answers) for side, subject in both.items()}


def edited(sides: Sides, way: str, mask: Tensor) -> Iterator[Row]:
    """img2img and inpainting, by denoise."""
    for words, prompts in sides.prompts.items():
        for denoise in DENOISE:
            shown = sides.shown(lambda s, p=prompts, d=denoise: edit(s, sides.pictures, p, d, mask))
            yield {"way": f"{way}, prompt {words}", "denoise": denoise} | shown


def controlled(sides: Sides) -> Iterator[Row]:
    """From noise, along the outlines of the pictures, by strength and end."""
    network, outlines = control.load(), control.outlines(sides.pictures)
    for words, prompts in sides.prompts.items():
        for strength, end in CONTROL:
            lines = control.along(network, outlines, strength, end)
            shown = sides.shown(lambda s, p=prompts, net=lines: sides.draw(s, p, lines=net))
            yield {"way": f"ControlNet, prompt {words}", "strength": strength, "end": end} | shown


def measure(task: Task, count: int, ways: Sequence[str] = WAYS) -> Iterator[Row]:
    """The share of pictures that show the target, for each way to draw and each setting, before and after."""
    sides = Sides(task, count)
    yield {"way": "the pictures handed in"} | sides.shown(lambda _: sides.pictures)
    if "img2img" in ways:
        yield from edited(sides, "img2img", WHOLE)
    if "inpainting" in ways:
        yield from edited(sides, "inpainting of one half", HALF)
    if "ControlNet" in ways:
        yield from controlled(sides)
    for words, prompts in sides.prompts.items():
        yield {"way": f"text to image, prompt {words}"} | sides.shown(lambda s, p=prompts: sides.draw(s, p))


def line(row: Row) -> str:
    """One row of the table in Markdown."""
    setting = row.get("denoise", f"{row['strength']}, {row['end']}" if "strength" in row else "")
    return f"| {row['way']} | {setting} | {row['original']:.0%} | {row['erased']:.0%} |"


def main() -> None:
    """One object and two styles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="pictures a cell")
    parser.add_argument("--task", action="append", choices=TASKS, help="only these")
    parser.add_argument("--way", action="append", choices=WAYS, help="only these")
    asked, figures = parser.parse_args(), {}
    out = pack.ROOT / "build" / "bench" / "edited.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        for name in asked.task or TASKS:
            print(f"| {name} | denoise; strength, end | original | erased |\n| --- | --- | --- | --- |", flush=True)
            figures[name] = []
            for row in measure(TASKS[name], asked.count, asked.way or WAYS):
                figures[name].append(row)
                print(line(row), flush=True)
            print()
            out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
