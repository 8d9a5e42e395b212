"""An earlier commit of this repository, to measure against: its solver, run in a process of its own.

A commit is a name that git knows, or a folder with its files, for a machine where the repository has no history.

The process has the pack and the core of that commit, and today's tests, benchmarks and host. It speaks only through
what no commit may change: node inputs by their ids, and the file of an erasure.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import pack

Nodes = Sequence[dict[str, str]]
"""What each Define Concepts node is given: `text`, `kind`, `preserve`, `everyday`."""


@dataclass(frozen=True)
class Solved:
    """What the commit's Solve made of a request."""

    file: Path
    """An erasure as Save writes it, in float32."""
    seconds: float
    """Of Solve, with its own measurement."""


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, which goes with the block; where a folder is named, a copy of it.

    Raises:
        ValueError: this repository has no such commit.
    """
    if (Path(commit) / pack.CORE).is_dir():
        with tempfile.TemporaryDirectory() as folder:
            yield Path(
                shutil.copytree(commit, folder, ignore=shutil.ignore_patterns(".git", "build"), dirs_exist_ok=True)
            )
        return
    archive = ["git", "-C", str(pack.ROOT), "archive", "--format=tar", commit]
    packed = subprocess.run(archive, capture_output=True)
    if packed.returncode:
        raise ValueError(f"This repository has no commit {commit!r}. Name one that `git log` shows.")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def run(tree: Path, module: str, *words: str) -> None:
    """Runs a module of today's tree, `python -m module words`, with the pack and the core of another tree."""
    command = [sys.executable, "-m", module, *words]
    subprocess.run(command, check=True, cwd=pack.ROOT, env=os.environ | {pack.OTHER_TREE: str(tree)})


def solve(commit: str, encoder: str, requests: Sequence[Nodes], folder: Path) -> list[Solved]:
    """Solves requests with the code and the default options of a commit.

    Args:
        commit: any name that git knows it by, or a folder with its files.
        encoder: which model, as `benchmarks.words` names it.
        requests: each is solved on its own.
        folder: where the files go.
    """
    (folder / "requests.json").write_text(json.dumps(list(requests)))
    with checkout(commit) as tree:
        run(tree, "benchmarks.at_commit", encoder, str(folder))
    seconds = json.loads((folder / "seconds.json").read_text())
    return [Solved(folder / f"{index}.safetensors", each) for index, each in enumerate(seconds)]


def _solve_here(encoder: str, folder: Path) -> None:
    """The other side of `solve`, in the process with the commit's code."""
    from safetensors.torch import save_file

    from benchmarks.encoders import ENCODERS
    from tests.words import family

    define, solver = pack.module("nodes.define").DefineConcepts, pack.module("nodes.solve").Solve
    inputs = [each for each in solver.define_schema().inputs if getattr(each, "default", None) is not None]
    defaults = {each.id: each.default for each in inputs}
    seconds = []
    with family.known():
        subject = ENCODERS[encoder]()
        for index, nodes in enumerate(json.loads((folder / "requests.json").read_text())):
            request: Any = None
            for node in nodes:
                request = define.execute(**node, more_concepts=request).args[0]
            began = time.monotonic()
            erasure = solver.execute(subject.model, subject.clip, request, **defaults).args[0]
            seconds.append(time.monotonic() - began)
            tensors, metadata = pack.module("erasepro_core.files").pack(erasure, "float32")
            save_file(tensors, folder / f"{index}.safetensors", metadata)
    (folder / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    import torch

    pack.comfy_where_asked()
    with torch.inference_mode():
        _solve_here(sys.argv[1], Path(sys.argv[2]))
