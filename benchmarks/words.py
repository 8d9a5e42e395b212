"""What an erasure leaves and moves where the text encoder knows English: every task, every method, a row a probe.

`make bench-words` writes build/bench/words.json; QUICK=1 takes few tasks and few pictures. WORDS names a file of your
own: captions, one a line (.txt), or JSON with `captions` and `tasks`, lists of concepts as `own_tasks` reads them.
ENCODER=smollm2 takes the causal language model instead of MiniLM. BASE names a commit, or a folder with its files,
whose solver is measured as well. DEVICE=cuda computes on the GPU; without it all runs on the CPU.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

from tests import pack

pack.comfy_where_asked()

import torch  # noqa: E402

from benchmarks import at_commit, quality  # noqa: E402
from benchmarks.encoders import ENCODERS  # noqa: E402
from erasepro_core import Request, parse_request  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import family  # noqa: E402
from tests.words.erased import Evaluation  # noqa: E402
from tests.words.tasks import TASKS, Edit, Task, everyday  # noqa: E402

UNEDITED = "unedited"
METHODS = (UNEDITED, *quality.METHODS)
QUICK = ("object", "painter of one piece", "person", "compound", "ten strange painters")
HEAD = (
    "| task | names | method | probe | leak | drift: captions | neighbours | same kind | strangers | outside "
    "| target | anchor | others right | s |"
)
GROUPS = ("captions", "neighbours", "same kind", "strangers", "outside")
Row = dict[str, Any]
Erased = tuple[Subject, float]
"""A clone without the concepts, and the seconds that it took."""


def nodes_of(task: Task, captions: Sequence[str] = ()) -> at_commit.Nodes:
    """What is typed into the Define Concepts nodes of a task."""
    everyday = "\n".join(captions)
    return [{"text": e.line, "kind": e.kind, "preserve": "", "everyday": everyday} for e in task.edits]


def request_of(nodes: at_commit.Nodes) -> Request:
    """What these nodes give."""
    return reduce(Request.joined, [parse_request(n["text"], n["kind"], n["preserve"], n["everyday"]) for n in nodes])


def by_method(subject: Subject, request: Request, name: str) -> Erased:
    """The erasure of one of `METHODS`."""
    began = time.monotonic()
    edited = subject if name == UNEDITED else quality.erase(subject, request, quality.METHODS[name])[0]
    return edited, time.monotonic() - began


def by_commit(subject: Subject, solved: at_commit.Solved) -> Erased:
    """The erasure that a commit solved, read and applied by this one."""
    erasure = pack.module("erasepro_core.files").read(solved.file)
    apply = pack.module("nodes.apply").ApplyErasure
    model, clip = apply.execute(subject.model, subject.clip, erasure, 1.0).args
    return Subject(model, clip, subject.vae), solved.seconds


def measure(task: Task, evaluation: Evaluation, methods: Mapping[str, Callable[[], Erased]]) -> list[Row]:
    """Rows of every method on one task."""
    rows = []
    for name, erase in methods.items():
        edited, seconds = erase()
        found = evaluation(edited)
        for probe, leak in found["leak"].items():
            rows.append(
                {"task": task.name, "names": [n for e in task.edits for n in e.names], "method": name, "probe": probe}
                | {"leak": leak, "drift": found["drift"], "others_right": found["others_right"], "seconds": seconds}
                | found["shown"][probe]
            )
            print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    """One row of the table in Markdown."""
    names, drift = row["names"], row["drift"]
    columns = [row["task"], names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"]
    columns += [row["method"], row["probe"], f"{row['leak']:.3f}"]
    columns += [f"{drift[group]:.3f}" if group in drift else "" for group in GROUPS]
    columns += [_percent(row.get(key)) for key in ("target_rate", "anchor_rate", "others_right")]
    return "| " + " | ".join([*columns, f"{row['seconds']:.1f}"]) + " |"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def own_tasks(stored: Sequence[dict[str, Any]]) -> list[Task]:
    """Tasks of a file: `name`, `kind` and `concepts`, of which this world draws none.

    A concept has `names` and `anchor`, and may have `unlisted`, `plural`, `plural_anchor`, `description` and
    `neighbours`.
    """

    def edit(kind: str, concept: dict[str, Any]) -> Edit:
        lists = {key: tuple(concept.get(key, ())) for key in ("unlisted", "neighbours")}
        plain = {key: concept.get(key, "") for key in ("plural", "plural_anchor", "description")}
        return Edit(kind, tuple(concept["names"]), concept["anchor"], {}, {}, **lists, **plain)

    return [Task(task["name"], tuple(edit(task["kind"], concept) for concept in task["concepts"])) for task in stored]


def own_words() -> tuple[list[Task], list[str]]:
    """Tasks and captions of the file that WORDS names."""
    named = os.environ.get("WORDS")
    if not named:
        return [], []
    text = Path(named).expanduser().read_text()
    if named.endswith(".txt"):
        return [], [caption.strip() for caption in text.splitlines() if caption.strip()]
    stored = json.loads(text)
    return own_tasks(stored.get("tasks", ())), list(stored.get("captions", ()))


def arguments(tasks: Sequence[Task], quick: bool) -> argparse.Namespace:
    """Command line."""
    encoder, base = os.environ.get("ENCODER") or "minilm", os.environ.get("BASE")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=12 if quick else 60, help="sentences, and pictures, a probe")
    parser.add_argument("--steps", type=int, default=10, help="sampling steps")
    parser.add_argument("--task", action="append", choices=[task.name for task in tasks], help="only these")
    parser.add_argument("--method", action="append", choices=METHODS, help="only these")
    parser.add_argument("--encoder", default=encoder, choices=list(ENCODERS), help="whose text encoder reads the words")
    parser.add_argument("--base", default=base, help="a commit whose solver is measured as well")
    parser.add_argument("--everyday", action="store_true", help="paste 300 captions of this world as everyday prompts")
    parser.add_argument("--out", type=Path, help="where the rows go; default: build/bench")
    asked = parser.parse_args()
    if asked.encoder not in ENCODERS:
        parser.error(f"ENCODER is {asked.encoder!r}; it can be {' or '.join(ENCODERS)}")
    return asked


def measured(tasks: Sequence[Task], asked: argparse.Namespace, outside: Sequence[str]) -> Iterator[list[Row]]:
    """Rows of every task, each as soon as it is measured."""
    nodes = {task.name: nodes_of(task, everyday() if asked.everyday else ()) for task in tasks}
    subject = ENCODERS[asked.encoder]()
    pictures = asked.encoder == "minilm"
    settings = {"count": asked.count, "steps": asked.steps, "outside": outside, "pictures": pictures}
    with tempfile.TemporaryDirectory() as folder:
        requests = list(nodes.values())
        solved = (
            at_commit.solve(asked.base, asked.encoder, requests, Path(folder)) if asked.base else [None] * len(tasks)
        )
        for task, old in zip(tasks, solved, strict=True):
            request = request_of(nodes[task.name])
            methods = {name: partial(by_method, subject, request, name) for name in asked.method or METHODS}
            if old is not None:
                methods[f"erasepro at {asked.base}"] = partial(by_commit, subject, old)
            yield measure(task, Evaluation(task, subject, pack.PACK, **settings), methods)


def main() -> None:
    """Every task, every method; rows to a file, the table to the terminal."""
    began, quick = time.monotonic(), bool(os.environ.get("QUICK"))
    more, outside = own_words()
    tasks = [*TASKS, *more]
    asked = arguments(tasks, quick)
    chosen = asked.task or [task.name for task in more] or (QUICK if quick else [task.name for task in TASKS])
    print(f"{HEAD}\n{'| --- ' * (HEAD.count('|') - 1)}|", flush=True)
    name = "words" if asked.encoder == "minilm" else f"words-{asked.encoder}"
    out = asked.out or pack.ROOT / "build" / "bench" / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    settings = {"encoder": asked.encoder, "base": asked.base, "count": asked.count, "steps": asked.steps}
    rows: list[Row] = []
    with torch.inference_mode(), family.known():
        for found in measured([task for task in tasks if task.name in chosen], asked, outside):
            rows += found
            out.write_text(json.dumps(settings | {"rows": rows}, indent=1) + "\n")
    print(f"{time.monotonic() - began:.0f} s; rows in {out}")


if __name__ == "__main__":
    main()
