"""How long a whole Solve with its check takes at real shapes, from one name to a thousand, beside what others take.

`python -m benchmarks.speed` measures SD1.5 and SDXL, and PixArt with its T5 where torch has CUDA, with random weights;
each family in a process of its own (`benchmarks.timed`). QUICK=1 measures SD1.5 with one name and ten. BASE=<commit>,
or a folder with a commit's files, measures one name with that too, in a temporary folder, before this one and behind
it. A table goes to the terminal, rows to build/bench/speed.json, and cost against names to build/bench/speed.png;
OUT=<folder> writes there.

ratio_uce is our seconds over UCE's: encoding its own prompts and one dense inverse for each linear. ratio_base is the
base's seconds over ours: how many times faster we are. The floor encodes each prompt once and reads each edited weight
once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.at_commit import checkout

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(os.environ.get("OUT") or ROOT / "build" / "bench")
Row = dict[str, Any]


def measured(tree: Path, family: str, names: Sequence[int], *more: str) -> list[Row]:
    """A row for each number of names, measured in a process of its own with the code of a tree."""
    command = [sys.executable, "-m", "benchmarks.timed", family, "--names", *map(str, names), *more]
    rows: list[Row] = []
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("{"):
                rows.append(json.loads(line))
    if process.returncode:
        print(f"{' '.join(command)} ended with {process.returncode} in {tree}", file=sys.stderr)
    return rows


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit, with the host that was set up here and the two files that measure it."""
    with checkout(commit) as tree:
        (tree / "build").mkdir()
        (tree / "build" / "ComfyUI").symlink_to((ROOT / "build" / "ComfyUI").resolve())
        for name in ("shapes.py", "timed.py"):
            shutil.copy(ROOT / "benchmarks" / name, tree / "benchmarks" / name)
        yield tree


def against_base(commit: str, family: str, *more: str) -> list[Row]:
    """One name with another commit, before and behind this one: what else runs here slows both."""
    with tree_of(commit) as tree:
        first = measured(tree, family, [1], "--plain", *more)
        ours = measured(ROOT, family, [1], *more)
        second = measured(tree, family, [1], "--plain", *more) if family == "sd1" else []
    for row in ours:
        base = [each for each in (*first, *second)]
        for key in ("whole", "processor"):
            row[f"base_{key}"] = min(each[key] for each in base)
    return ours


def flat(row: Row) -> list[Row]:
    """A row for the whole and for each phase, with the same keys in all."""
    whole = row["whole"]
    same = {
        key: row.get(key) for key in ("family", "names", "short", "on", "peak_mib", "file_mib", "leak_unseen", "drift")
    }
    phases = {"whole": whole, "floor": row.get("floor"), "processor": row["processor"], **row["phases"]}
    phases["other"] = whole - sum(row["phases"].values())
    rows: list[Row] = [same | {"phase": name, "seconds": seconds} for name, seconds in phases.items()]
    peers = {"whole": "uce", "keys and values": "uce algebra"}
    bases = {"whole": "base_whole", "processor": "base_processor"}
    for each in rows:
        uce, before = (row.get(str(of.get(each["phase"]))) for of in (peers, bases))
        each |= {"uce_seconds": uce, "ratio_uce": each["seconds"] / uce if uce else None}
        each |= {"base_seconds": before, "ratio_base": before / each["seconds"] if before else None}
    return rows


def table(rows: Sequence[Row]) -> str:
    """What was measured, one line for each number of names."""
    phases = ("encode", "algebra", "keys and values", "read weights", "check")
    heads = [
        "family",
        "names",
        "whole",
        *phases,
        "floor",
        "UCE",
        "K, V of UCE",
        "base",
        "peak MiB",
        "file MiB",
        "leak",
        "drift",
    ]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        cells = [row["family"], f"{row['names']}{' short' if row['short'] else ''}", _seconds(row["whole"])]
        cells += [_seconds(row["phases"].get(phase)) for phase in phases]
        cells += [_seconds(row.get(key)) for key in ("floor", "uce", "uce algebra", "base_whole")]
        cells += [
            f"{row['peak_mib']:.0f}",
            *(f"{row.get(k, float('nan')):.3g}" for k in ("file_mib", "leak_unseen", "drift")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g} s"


def plot(rows: Sequence[Row], file: Path) -> None:
    """Seconds against names, each family beside its floor; nothing where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="names", ylabel="seconds", title=rows[0]["on"])
    for family in dict.fromkeys(row["family"] for row in rows):
        own = sorted(
            (row for row in rows if row["family"] == family and not row["short"]), key=lambda row: row["names"]
        )
        for key, style in (("whole", "o-"), ("floor", ":"), ("uce", "x--")):
            axes.plot([row["names"] for row in own], [row[key] for row in own], style, label=f"{family}, {key}")
    axes.legend()
    figure.savefig(file)


def main() -> None:
    """Measures, and writes after every family what there is."""
    quick, base, cuda = bool(os.environ.get("QUICK")), os.environ.get("BASE"), torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__)
    usual = ["sd1"] if quick else ["sd1", "sdxl", *(["pixart"] if cuda else [])]
    parser.add_argument("families", nargs="*", default=usual, help="sd1, sdxl, pixart")
    parser.add_argument("--names", type=int, nargs="+", default=[1, 10] if quick else [1, 10, 100, 1000])
    parser.add_argument("--short", action="store_true", help="also names of one token each")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for family in asked.families:
        for more in ([], ["--short"]) if asked.short else ([],):
            names = list(asked.names)
            if base and names[0] == 1:
                rows += against_base(base, family, *more)
                names = names[1:]
            rows += measured(ROOT, family, names, *more) if names else []
        (OUT / "speed.json").write_text(json.dumps([each for row in rows for each in flat(row)], indent=1) + "\n")
    print(table(rows))
    plot(rows, OUT / "speed.png")


if __name__ == "__main__":
    main()
