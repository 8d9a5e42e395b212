"""What an erasure leaves and moves where the text encoder knows English: every task, every method, a row a probe.

`make bench-words` writes build/bench/words.json; QUICK=1 takes few tasks and few pictures. WORDS names a file of your
own: captions, one a line (.txt), or JSON with `captions` and `tasks`, lists of concepts as `own_tasks` reads them.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from tests import pack

pack.comfy_on_cpu()

import torch  # noqa: E402

from benchmarks import quality  # noqa: E402
from erasepro_core import Request, parse_request  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import family, model  # noqa: E402
from tests.words.erased import Evaluation  # noqa: E402
from tests.words.tasks import TASKS, Edit, Task, everyday  # noqa: E402

METHODS = {"unedited": None, **quality.METHODS}
QUICK = ("object", "painter of one piece", "person", "compound", "ten strange painters")
HEAD = (
    "| task | names | method | probe | leak | drift: captions | neighbours | same kind "
    "| target | anchor | others right | s |"
)
Row = dict[str, Any]


def request_of(task: Task, captions: Sequence[str] = ()) -> Request:
    """The task as Define Concepts nodes would state it."""
    requests = [parse_request(edit.line, edit.kind, "", "\n".join(captions)) for edit in task.edits]
    return reduce(Request.joined, requests)


def measure(task: Task, subject: Subject, asked: argparse.Namespace, outside: Sequence[str]) -> list[Row]:
    """Rows of every method on one task."""
    settings = {"count": asked.count, "steps": asked.steps, "outside": outside, "pictures": model.CHECKPOINT.exists()}
    evaluation = Evaluation(task, subject, pack.PACK, **settings)
    request = request_of(task, everyday() if asked.everyday else ())
    rows = []
    for name, options in METHODS.items():
        began = time.monotonic()
        edited = subject if options is None else quality.erase(subject, request, options)[0]
        seconds = time.monotonic() - began
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
    columns += [f"{drift[group]:.3f}" if group in drift else "" for group in ("captions", "neighbours", "same kind")]
    columns += [_percent(row.get(key)) for key in ("target_rate", "anchor_rate", "others_right")]
    return "| " + " | ".join([*columns, f"{row['seconds']:.1f}"]) + " |"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def own_tasks(stored: Sequence[dict[str, Any]]) -> list[Task]:
    """Tasks of a file: `name`, `kind` and `concepts`, of which this world draws none.

    A concept has `names` and `anchor`, and may have `unlisted`, `plural`, `description` and `neighbours`.
    """

    def edit(kind: str, concept: dict[str, Any]) -> Edit:
        lists = {key: tuple(concept.get(key, ())) for key in ("unlisted", "neighbours")}
        plain = {key: concept.get(key, "") for key in ("plural", "description")}
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=12 if quick else 60, help="sentences, and pictures, a probe")
    parser.add_argument("--steps", type=int, default=10, help="sampling steps")
    parser.add_argument("--task", action="append", choices=[task.name for task in tasks], help="only these")
    parser.add_argument("--everyday", action="store_true", help="paste 300 captions of this world as everyday prompts")
    parser.add_argument("--out", type=Path, default=pack.ROOT / "build" / "bench" / "words.json")
    return parser.parse_args()


def main() -> None:
    """Every task, every method; rows to a file, the table to the terminal."""
    began, quick = time.monotonic(), bool(os.environ.get("QUICK"))
    more, outside = own_words()
    asked = arguments([*TASKS, *more], quick)
    chosen = asked.task or [task.name for task in more] or (QUICK if quick else [task.name for task in TASKS])
    print(f"{HEAD}\n{'| --- ' * (HEAD.count('|') - 1)}|", flush=True)
    with torch.inference_mode(), family.known():
        subject = Subject(*model.load())
        rows = [
            row for task in (*TASKS, *more) if task.name in chosen for row in measure(task, subject, asked, outside)
        ]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"count": asked.count, "steps": asked.steps, "rows": rows}, indent=1) + "\n")
    print(f"{time.monotonic() - began:.0f} s; rows in {asked.out}")


if __name__ == "__main__":
    main()
