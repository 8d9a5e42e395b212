"""What 1 to 1,000 names erased at once leave and move where the text encoder knows English, beside UCE.

`make bench-many` erases things of one token each, painters of several, and one thing with six names, alone and
together; it writes build/bench/many.json and a plot beside it. QUICK=1 takes few names. BASE names a commit, or
a folder with its files, whose solver is measured as well, with at most ten names: its time grows with their cube.
DEVICE=cuda computes on the GPU; without it all runs on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from tests import pack

pack.comfy_where_asked()

import comfy.model_management  # noqa: E402
import torch  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from safetensors.torch import save  # noqa: E402

from benchmarks import at_commit, quality  # noqa: E402
from benchmarks.words import by_commit, nodes_of, own_tasks, request_of  # noqa: E402
from erasepro_core import Report  # noqa: E402
from erasepro_core.concept import kind_named  # noqa: E402
from erasepro_core.files import pack as packed  # noqa: E402
from erasepro_core.files import read  # noqa: E402
from erasepro_core.neighbours import others  # noqa: E402
from erasepro_core.neutral import FIT_PROMPTS, PROBE_PROMPTS  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import family, model, world  # noqa: E402
from tests.words.captions import AFTER, BEFORE  # noqa: E402
from tests.words.erased import Evaluation  # noqa: E402
from tests.words.tasks import TASKS, Edit, Task  # noqa: E402

COUNTS = {"things": (1, 3, 10, 24, 100, 300, 1000), "painters": (1, 3, 10, 30, 100)}
QUICK = {"things": (1, 10), "painters": (1, 3)}
METHODS = ("erasepro", "uce")
BASE_NAMES = 10
"""With more names the solver of an earlier commit takes too long."""
ALIASES = "cat", "kitten", "feline", "kitty", "tabby", "tomcat"
ANCHORS = {"object": "thing", "style": "an artist"}
Row = dict[str, Any]
Erased = Callable[[], tuple[Subject, Report, float]]
"""Gives a clone without the names, the report on it, and the seconds that Solve took with its measurement."""


def things(path: Any) -> list[Edit]:
    """A thousand things of one token: ten that this world draws, others, nouns, words of the tokenizer's vocabulary.

    None of them, in the singular or the plural, is said in a sentence that measures what stays, or is another name for
    what is drawn; the token of none is a piece of a word there, as `pie` is of Piet.
    """

    def forms(name: str) -> set[str]:
        return {name, kind.unlisted_form(name)}

    kind = kind_named("object")
    drawn = next(task for task in TASKS if task.name == "ten objects").edits
    captions = chain(*(lesson_captions(each) for each in (world.TRAINED, world.HELD_OUT)), BEFORE, AFTER)
    near = chain(*(edit.neighbours for edit in drawn))
    measured = words_of(chain(captions, near, world.unlisted() - set(world.OTHER_THINGS)))
    said = words_of(chain(FIT_PROMPTS, PROBE_PROMPTS, kind.templates, kind.unseen))
    vocabulary = [word for word in path.whole_words() if len(word) > 4 and word.isascii() and not said & forms(word)]
    names = [*world.OTHER_THINGS, *kind.names, *vocabulary[:: len(vocabulary) // 3000]]
    new = [name for name in dict.fromkeys(names) if not measured & forms(name)]
    rows, others = ([row[path.encoders[0].name].words for row in path.tokenize(each)] for each in (new, [*measured]))
    pieces = set(chain(*others))
    short = [name for name, row in zip(new, rows, strict=True) if len(row) == 1 and row[0] not in pieces]
    return [*drawn, *strangers("object", short)]


def lesson_captions(structures: dict[str, tuple[str, ...]]) -> Iterable[str]:
    """Captions of some structures."""
    return (lesson.caption for lesson in world.lessons(4000, seed=0, structures=structures))


def words_of(sentences: Iterable[str]) -> set[str]:
    """Their words, in lower case."""
    return set(re.findall(r"[a-z0-9-]+", " ".join(sentences).lower()))


def painters(path: Any) -> list[Edit]:
    """Painters of one to eight tokens that this world does not draw; the thirty strangers are none of them."""
    kind = kind_named("style")
    drawn = chain(world.PAINTERS.values(), *world.PAINTER_SYNONYMS.values())
    names = others(kind, kind.names, [*world.OTHER_PAINTERS, *drawn, *world.STRANGERS])
    return strangers("style", [*world.OTHER_PAINTERS, *names])


def strangers(kind: str, names: Sequence[str]) -> list[Edit]:
    """Concepts that this world does not draw."""
    concepts = [{"names": [name], "anchor": ANCHORS[kind]} for name in names]
    return list(own_tasks([{"name": "", "kind": kind, "concepts": concepts}])[0].edits)


CHOSEN: dict[str, Callable[[Any], list[Edit]]] = {"things": things, "painters": painters}


def in_one_node(task: Task) -> at_commit.Nodes:
    """What is typed into one Define Concepts node: a line each."""
    nodes = nodes_of(task)
    return [dict(nodes[0]) | {"text": "\n".join(node["text"] for node in nodes)}]


def solved_here(subject: Subject, task: Task, method: str) -> tuple[Subject, Report, float]:
    """The erasure of one of `METHODS`."""
    request, began = request_of(in_one_node(task)), time.monotonic()
    edited, report = quality.erase(subject, request, quality.METHODS[method])
    return edited, report, time.monotonic() - began


def solved_there(subject: Subject, solved: at_commit.Solved) -> tuple[Subject, Report, float]:
    """The erasure that a commit solved."""
    return *by_commit(subject, solved)[:1], read(solved.file), solved.seconds


class Measure:
    """Measures erasures of one task.

    Args:
        task: what is erased.
        subject: the model.
        asked: how many sentences and pictures.
    """

    def __init__(self, task: Task, subject: Subject, asked: argparse.Namespace):
        drawn = Task(task.name, tuple(edit for edit in task.edits if edit.target)) if task.edits[0].target else task
        settings: dict[str, Any] = {"count": asked.count, "steps": asked.steps}
        self._subject, self._names = subject, sum(len(edit.names) for edit in task.edits)
        self._text = Evaluation(task, subject, pack.PACK, **settings, pictures=False, only=("captions",))
        pictures = settings | {"count": asked.pictures}
        self._drawn = Evaluation(drawn, subject, pack.PACK, **pictures, only=("held out",))

    def __call__(self, kind: str, method: str, erased: tuple[Subject, Report | None, float]) -> Row:
        """The row of one erasure."""
        edited, report, seconds = erased
        text, drawn = self._text(edited), self._drawn(edited)
        leaks, drift = text["leak_by_name"]["captions"], text["drift"]
        row = {"kind": kind, "names": self._names, "method": method, "leak": text["leak"]["captions"]}
        row |= {"worst": max(leaks.values()), "worst_names": sorted(leaks, key=lambda name: -leaks[name])[:5]}
        row |= {"leak_by_name": leaks, "drift": drift, "seconds": seconds}
        row |= {"target_rate": drawn["shown"]["held out"].get("target_rate"), "others_right": drawn["others_right"]}
        if report is None:
            return row
        return row | {"megabytes": megabytes(report), "undone": undone(self._subject, edited)}


def megabytes(report: Report) -> float:
    """Size of the file that Save writes in half precision."""
    return len(save(*packed(report, "float16"))) / 1e6


def undone(subject: Subject, edited: Subject) -> bool:
    """Whether every weight is bit for bit what it was, once the host has had the erasure in place and taken it out."""

    def weights(of: Subject) -> list[torch.Tensor]:
        comfy.model_management.load_models_gpu([of.model, of.clip.patcher])
        roots = of.model.model, of.clip.cond_stage_model
        return [weight.clone() for root in roots for weight in root.state_dict().values()]

    before, between, after = map(weights, (subject, edited, subject))
    if all(map(torch.equal, before, between)):
        raise RuntimeError("The erasure changed no weight, so there is nothing to undo.")
    return all(map(torch.equal, before, after))


def table_of_names(asked: argparse.Namespace, subject: Subject, folder: Path) -> Iterator[Row]:
    """A row for every kind, number of names and method."""
    path = pack.module("nodes.host").HostPath(subject.model, subject.clip)
    for kind, counts in asked.counts.items():
        edits = CHOSEN[kind](path)
        tasks = [Task(f"{count} {kind}", tuple(edits[:count])) for count in counts]
        small = [in_one_node(task) for task in tasks if len(task.edits) <= BASE_NAMES] if asked.base else []
        solved = at_commit.solve(asked.base, "minilm", small, folder) if small else []
        for index, task in enumerate(tasks):
            ways: dict[str, Erased] = {name: partial(solved_here, subject, task, name) for name in METHODS}
            if index < len(solved):
                ways[asked.base] = partial(solved_there, subject, solved[index])
            measure = Measure(task, subject, asked)
            yield measure(kind, "unedited", (subject, None, 0.0))
            for method, way in ways.items():
                yield measure(kind, method, way())


def aliases(asked: argparse.Namespace, subject: Subject) -> Iterator[Row]:
    """A row for each name of one thing alone, and one for all of them together."""
    for names in (*((name,) for name in ALIASES), ALIASES):
        task = Task(" | ".join(names), (Edit("object", names, "dog", {}, {}),))
        yield Measure(task, subject, asked)("aliases", "erasepro", solved_here(subject, task, "erasepro"))


def against_alone(rows: Sequence[Row]) -> list[str]:
    """A line of a table for each name of one thing: what is left of it, and what moves, alone and with the others."""
    *alone, together = [row for row in rows if row["kind"] == "aliases"]
    found = ["| name | leak: alone | together | drift: alone | together |", "| --- | --- | --- | --- | --- |"]
    for row in alone:
        ((name, leak),) = row["leak_by_name"].items()
        numbers = leak, together["leak_by_name"][name], row["drift"]["captions"], together["drift"]["captions"]
        found.append(f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    return found


HEAD = (
    "| kind | names | method | leak | of the worst | drift: captions | neighbours | same kind | strangers | target "
    "| others right | s | MB | undone |"
)


def line(row: Row) -> str:
    """One row of the table in Markdown."""
    drift = [row["drift"].get(group) for group in ("captions", "neighbours", "same kind", "strangers")]
    numbers = [f"{value:.3f}" if value is not None else "" for value in (row["leak"], row["worst"], *drift)]
    shares = [f"{100 * rate:.0f} %" if rate is not None else "" for rate in (row["target_rate"], row["others_right"])]
    rest = [f"{row['seconds']:.1f}", f"{row['megabytes']:.1f}", str(row["undone"])] if "undone" in row else [""] * 3
    return f"| {' | '.join([row['kind'], str(row['names']), row['method'], *numbers, *shares, *rest])} |"


PANELS: dict[str, Callable[[Row], float | None]] = {
    "leak in captions": lambda row: row["leak"],
    "drift on captions": lambda row: row["drift"]["captions"],
    "drift on others of the kind": lambda row: row["drift"].get("strangers", row["drift"].get("neighbours")),
    "target still drawn": lambda row: row["target_rate"],
}


def plot(rows: Sequence[Row], file: Path) -> None:
    """Leak, drift and target rate against the number of names."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    methods = [name for name in dict.fromkeys(row["method"] for row in rows) if name != "unedited"]
    for axes, (title, value) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for colour, method in enumerate(methods):
            for kind, style in zip(CHOSEN, ("o-", "x--"), strict=True):
                own = [row for row in rows if (row["kind"], row["method"]) == (kind, method)]
                points = [(row["names"], value(row)) for row in own if value(row) is not None]
                if points:
                    axes.plot(*zip(*points, strict=True), style, color=f"C{colour}", label=f"{method}, {kind}")
        axes.set(xscale="log", xlabel="names", title=title, ylim=(0, None))
    figure.axes[0].legend(fontsize=7)
    figure.savefig(file, dpi=110)


def arguments() -> argparse.Namespace:
    """Command line."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--things", type=int, nargs="*", help="how many at once", default=(QUICK if quick else COUNTS)["things"]
    )
    parser.add_argument(
        "--painters", type=int, nargs="*", help="how many at once", default=(QUICK if quick else COUNTS)["painters"]
    )
    parser.add_argument("--count", type=int, default=12 if quick else 60, help="sentences, at least one a name")
    parser.add_argument(
        "--pictures", type=int, default=12 if quick else 24, help="of the targets, twice as many others"
    )
    parser.add_argument("--steps", type=int, default=10, help="sampling steps")
    parser.add_argument("--base", default=os.environ.get("BASE"), help="a commit whose solver is measured as well")
    parser.add_argument("--no-aliases", dest="aliases", action="store_false", default=not quick, help="leave them out")
    parser.add_argument("--out", type=Path, default=pack.ROOT / "build" / "bench" / "many.json", help="where rows go")
    asked = parser.parse_args()
    asked.counts = {"things": asked.things, "painters": asked.painters}
    return asked


def main() -> None:
    """Every kind, number of names and method; rows to a file, the table to the terminal, and a plot."""
    asked, began = arguments(), time.monotonic()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{HEAD}\n{'| --- ' * (HEAD.count('|') - 1)}|", flush=True)
    rows: list[Row] = []
    with torch.inference_mode(), family.known(), tempfile.TemporaryDirectory() as folder:
        subject = Subject(*model.load())
        for row in chain(
            table_of_names(asked, subject, Path(folder)), aliases(asked, subject) if asked.aliases else ()
        ):
            print(line(row), flush=True)
            rows.append(row)
            asked.out.write_text(json.dumps({"base": asked.base, "count": asked.count, "rows": rows}, indent=1) + "\n")
    plot(rows, asked.out.with_suffix(".png"))
    if asked.aliases:
        print("\n".join(against_alone(rows)))
    print(f"{time.monotonic() - began:.0f} s; rows in {asked.out}")


if __name__ == "__main__":
    main()
