"""Eight compounds in real words: what is left of each in pictures, and whether what shares its words is still right.

`python -m benchmarks.compounds` solves each with the default options and draws the target, the anchor, twelve things
with the compound's first word (a red dog) and its last word with every other colour (a green car), four times each. The
report's own figures stand beside, and what Solve would do: stop, warn or nothing. `--alone` adds a row in which no
layer gives back what those before it took.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from unittest.mock import patch

import torch

from tests import pack

pack.comfy_where_asked()

from benchmarks.encoders import ENCODERS  # noqa: E402
from benchmarks.quality import erase  # noqa: E402
from benchmarks.words import nodes_of, request_of  # noqa: E402
from erasepro_core import Options, Report, roles  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import classifier, family, world  # noqa: E402
from tests.words.erased import SEED, Evaluation  # noqa: E402
from tests.words.sample import sample  # noqa: E402
from tests.words.tasks import Answer, Edit, Task  # noqa: E402

COMPOUNDS = (
    "red car -> blue car", "yellow bus -> green bus", "green cup -> red cup", "blue cat -> blue dog",
    "red boat -> train", "red car -> car", "blue chair -> chair", "yellow flower -> flower",
)  # fmt: skip
SENTENCES = (
    "a photo of a {}", "a {} on the grass", "just a {}", "solo, {}, looking good, soft shading",
    "macro photo of a {}, overcast light", "a painting of a {} by Claude Monet", "a {} at night",
    "When the children came into the room they found a {} and talked about it",
)  # fmt: skip
HEAD = (
    "| erased | leak: captions | held out | drift | target | anchor | others right | first word | last word | Solve |"
)


def shown(name: str) -> Answer:
    """What a picture of a colour and a thing, or of a thing, shows."""
    *colour, thing = name.split()
    return {"object": world.OBJECTS.index(thing)} | ({"colour": world.COLOURS.index(colour[0])} if colour else {})


def task_of(line: str) -> Task:
    """The task of one line of Define Concepts."""
    name, anchor = line.split(" -> ")
    return Task(line, (Edit("object", (name,), anchor, shown(name), shown(anchor), colours=True),))


def right(subject: Subject, names: Sequence[str]) -> float:
    """Share of pictures that show what they are of, each name in four sentences."""
    asked = [
        (SENTENCES[(i + j) % len(SENTENCES)].replace("{}", name), name)
        for i, name in enumerate(names)
        for j in range(4)
    ]
    images = sample(subject.model, subject.clip, subject.vae, [prompt for prompt, _ in asked], seed=SEED, steps=10)
    return float(classifier.right(images, [shown(name) for _, name in asked]).float().mean())


def said(report: Report) -> str:
    """What Solve does."""
    moved = [each.partition(":")[0].removeprefix("MOVED") for each in report.warnings() if each.startswith("MOVED")]
    return "stops" if report.not_erased() else "MOVED" + "".join(moved) if moved else "-"


def row(line: str, original: Subject, label: str) -> str:
    """One row of the table."""
    task = task_of(line)
    colour, thing = task.edits[0].names[0].split()
    edited, report = erase(original, request_of(nodes_of(task)), Options())
    found = Evaluation(task, original, pack.PACK, count=40, steps=10)(edited)
    things = [each for each in world.OBJECTS if each != thing and " " not in each][:12]
    cells = (
        f"{found['leak']['captions']:.2f}", f"{found['leak']['held out']:.2f}", f"{found['drift']['captions']:.3f}",
        f"{max(each['target_rate'] for each in found['shown'].values()):.0%}",
        f"{found['shown']['held out']['anchor_rate']:.0%}", f"{found['others_right']:.0%}",
        f"{right(edited, [f'{colour} {each}' for each in things]):.0%}",
        f"{right(edited, [f'{each} {thing}' for each in world.COLOURS if each != colour]):.0%}", said(report),
    )  # fmt: skip
    return f"| `{line}`{label} | " + " | ".join(cells) + " |"


def main() -> None:
    """Command line: a row for each compound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=COMPOUNDS, help="only these")
    parser.add_argument("--alone", action="store_true", help="each also without giving back what layers took")
    asked = parser.parse_args()
    print(f"{HEAD}\n{'| --- ' * (HEAD.count('|') - 1)}|", flush=True)
    with torch.inference_mode(), family.known():
        original = ENCODERS["minilm"]()
        for line in asked.only or COMPOUNDS:
            print(row(line, original, ""), flush=True)
            if asked.alone:
                with patch.object(roles, "FOLLOWED", 0):
                    print(row(line, original, ", nothing given back"), flush=True)


if __name__ == "__main__":
    main()
