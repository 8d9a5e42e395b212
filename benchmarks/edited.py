"""How often an erased concept comes back from a picture: img2img and inpainting of the mini model, by denoise.

`python -m benchmarks.edited` draws the target with the original model, hands these pictures to img2img and inpainting
in the original and in the erased model, and lets the classifier say what the results show. A table goes to the
terminal and to build/bench/edited.json. Of an inpainted picture it sees the half that is drawn anew, and its mirror
image in place of the half that is kept: what is kept shows the target in any case.
"""

import argparse
import json
from typing import Any

from tests import pack

pack.comfy_on_cpu()

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks.quality import erase, request_of  # noqa: E402
from erasepro_core import Options  # noqa: E402
from tests.mini import model  # noqa: E402
from tests.mini.erased import Subject, share  # noqa: E402
from tests.mini.sample import encode, noise, sample  # noqa: E402
from tests.mini.tasks import OBJECT, STYLE, Task  # noqa: E402

DENOISE = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
SEED, STEPS, CFG = 9000, 10, 3.0
HALF = torch.zeros(1, 16, 16)
HALF[:, :, 8:] = 1
"""The right half is drawn anew."""
NEITHER = "a nice photo , best quality"
TASKS = {task.name: task for task in (OBJECT, STYLE)}
WHOLE = torch.ones(1, 16, 16)


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


def measure(task: Task, count: int) -> list[dict[str, Any]]:
    """The share of pictures that show the target, for each way to draw and each denoise, before and after."""
    original = Subject(*model.load())
    erased, _ = erase(original, request_of(task), Options())
    target, open_ = task.edits[0].names[0], task.sentences(task.edits[0].patterns.explicit, count)
    named = [sentence.replace("{}", target) for sentence in open_]
    neither = [NEITHER] * count
    source = sample(original.model, original.clip, original.vae, named, seed=SEED + count, steps=STEPS, cfg=CFG)
    answers = [task.edits[0].target_answer] * count
    rows: list[dict[str, Any]] = [{"way": "the pictures handed in", "original": share(source, answers)}]
    for way, prompts, mask in (
        ("img2img, prompt names the target", named, WHOLE),
        ("img2img, prompt names neither", neither, WHOLE),
        ("inpainting of one half, prompt names the target", named, HALF),
        ("inpainting of one half, prompt names neither", neither, HALF),
    ):
        for denoise in DENOISE:
            sides = {"original": original, "erased": erased}
            shown = {side: share(edit(s, source, prompts, denoise, mask), answers) for side, s in sides.items()}
            rows.append({"way": way, "denoise": denoise} | shown)
    for side, subject in (("original", original), ("erased", erased)):
        words = sample(subject.model, subject.clip, subject.vae, named, seed=SEED, steps=STEPS, cfg=CFG)
        rows.append({"way": "text to image, prompt names the target", side: share(words, answers)})
    return rows


def table(task: str, rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [f"| {task} | denoise | original | erased |", "| --- | --- | --- | --- |"]
    for row in rows:
        figures = [f"{row[side]:.0%}" if side in row else "" for side in ("original", "erased")]
        lines.append(f"| {row['way']} | {row.get('denoise', '')} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    """One object and one style."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="pictures a cell")
    parser.add_argument("--task", action="append", choices=TASKS, help="only these")
    asked, figures = parser.parse_args(), {}
    with torch.inference_mode():
        for name in asked.task or TASKS:
            figures[name] = measure(TASKS[name], asked.count)
            print(table(name, figures[name]), end="\n\n", flush=True)
    out = pack.ROOT / "build" / "bench" / "edited.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
