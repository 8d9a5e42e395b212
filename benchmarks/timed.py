"""One family at its real shape: what solves of 1, 10, 100 or 1000 names cost in this process, a JSON line for each.

`python -m benchmarks.timed sd1 --names 1 10`; `benchmarks.speed` runs it, each family and commit in a process of its
own. With `--plain` it uses only what no commit may change: the Solve node's own function and the report.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.shapes import CUDA, SHAPES, model_of
from erasepro_core import Options, parse_request
from tests import pack

PRESERVES = "Monet\nPicasso\nRembrandt"
LAMBDA = 0.5
"""What UCE adds to the second moment of its prompts, as published."""
MIB = 2**20


def request_of(names: int, words: Sequence[str] = ()) -> Any:
    """Erases so many names: a painter, or as many full names, or the first of some words."""
    if words:
        return parse_request("\n".join(f"{word} -> thing" for word in words[:names]), "object", PRESERVES)
    if names == 1:
        return parse_request("Van Gogh -> an artist", "style", PRESERVES)
    texts = pack.ROOT / "erasepro_core" / "texts" / "names"
    given, family = ((texts / f"{part}_names.txt").read_text().split("\n") for part in ("given", "family"))
    given, family = ([line for line in part if line and line[0] != "#"] for part in (given, family))
    people = [f"{given[n % len(given)]} {family[(7 * n + n // len(given) + 3) % len(family)]}" for n in range(names)]
    return parse_request("\n".join(f"{name} -> a person" for name in people), "person", PRESERVES)


def one_token_words(clip: Any) -> list[str]:
    """Words of one token of a CLIP that none of the pack's own sentences has, and that are no form of the anchor."""
    tokenizer = next(t for t in vars(clip.tokenizer).values() if hasattr(t, "inv_vocab"))
    used = " ".join(file.read_text() for file in (pack.ROOT / "erasepro_core" / "texts").rglob("*.txt")).lower()
    words = (text.removesuffix("</w>") for _, text in sorted(tokenizer.inv_vocab.items()) if text.endswith("</w>"))
    plain = (word for word in words if word.isalpha() and word.isascii() and len(word) > 5)
    return [word for word in plain if word not in used and word != "things"]


class Clock:
    """Seconds by phase; a phase inside another does not count there. Waits for the GPU at every change."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the time of the block."""
        self._change()
        self._open.append(name if "check" not in self._open else "check")
        try:
            yield
        finally:
            self._change()
            self._open.pop()

    def _change(self) -> None:
        if CUDA:
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def wrap(self, owner: Any, name: str, phase: str) -> None:
        """Counts every call of a function of a class or module."""
        function = getattr(owner, name)

        @wraps(function)
        def counted(*args: Any, **more: Any) -> Any:
            with self.phase(phase):
                return function(*args, **more)

        setattr(owner, name, counted)


def wrapped() -> tuple[Clock, list[Any]]:
    """A clock of the pack's phases, and all rows of tokens that are encoded from here on."""
    clock, seen, host = Clock(), [], pack.module("nodes.host")
    attempts, trials, progressive, solve = (
        pack.module(f"erasepro_core.{name}") for name in ("attempts", "trials", "progressive", "solve")
    )
    clock.wrap(host.HostPath, "encode", "encode")
    encode = host.HostPath.encode

    def remembering(path: Any, rows: Any, *more: Any) -> Any:
        seen.extend(rows)
        return encode(path, rows, *more)

    host.HostPath.encode = remembering
    clock.wrap(pack.module("nodes.host.live_path"), "effective_weight", "read weights")
    for owner, name in (
        (attempts._Pass, "on_layer"),
        (attempts._Pass, "context"),
        (trials.Trials, "_measured"),
        (progressive, "_stand_ins"),
    ):
        clock.wrap(owner, name, "algebra")
    clock.wrap(progressive, "_text_conditioned", "keys and values")
    clock.wrap(solve, "zero_residual_factor", "algebra")
    clock.wrap(pack.module("nodes.solve"), "verify", "check")
    return clock, seen


def uce(path: Any, request: Any) -> dict[str, float]:
    """UCE as published: its own prompts, the last token of each, and one dense inverse for each linear.

    Source: arXiv:2308.14761, equation 7; new weights are computed and let go.
    """
    began = now()
    names = [name for concept in request.concepts for name in concept.names]
    anchors = [concept.anchor for concept in request.concepts for _ in concept.names]
    prompts = list(dict.fromkeys([*names, *anchors, *request.preserves]))
    rows = path.tokenize(prompts)
    parts = [path.encode(rows[n : n + 64]) for n in range(0, len(rows), 64)]
    encoded = now()
    for text_input in path.inputs:
        if text_input.source in rows[0] and len(rows[0][text_input.source].ids) > 1:
            features = torch.cat([part[text_input.name] for part in parts])
            last = {
                p: features[n, row[text_input.source].end - 1]
                for n, (p, row) in enumerate(zip(prompts, rows, strict=True))
            }
            old, new, kept = (torch.stack([last[p] for p in part]) for part in (names, anchors, request.preserves))
            for _, weight in path.conditioned(text_input):
                _published(weight, old, new, kept)
    return {"uce": now() - began, "uce algebra": now() - encoded}


def _published(weight: Tensor, old: Tensor, new: Tensor, kept: Tensor) -> Tensor:
    above = LAMBDA * weight + (new @ weight.T).T @ old + (kept @ weight.T).T @ kept
    below = LAMBDA * torch.eye(weight.shape[1], device=weight.device) + old.T @ old + kept.T @ kept
    return above @ torch.inverse(below)


def floor(path: Any, report: Any, rows: list[Any]) -> float:
    """Seconds to encode each prompt once and to read each edited weight once."""
    encoded = pack.module("erasepro_core.encoded")
    once = list({tuple(row.ids for row in each.values()): each for each in rows}.values())
    parts = encoded.in_parts(once, [8] * len(once))
    began = now()
    for part in parts:
        path.encode([once[row] for row in part], [8] * len(part))
    for name in report.solution.updates.text_encoder:
        pack.module("nodes.host").effective_weight(path.clip.patcher, f"{name}.weight")
    for layers in {text_input.layers: text_input for text_input in path.inputs}.values():
        for _ in path.conditioned(layers):
            pass
    return now() - began


def now() -> float:
    """Seconds, once the GPU has done what was asked of it."""
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


class Peak:
    """Most memory above what was there at the start, in MiB: of the GPU where there is one, else of the process."""

    def __init__(self) -> None:
        gc.collect()
        if CUDA:
            torch.cuda.reset_peak_memory_stats()
            self._start = torch.cuda.memory_allocated()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
            self._start = _memory("VmRSS")

    def mib(self) -> float:
        """So far."""
        most = torch.cuda.max_memory_allocated() if CUDA else _memory("VmHWM")
        return (most - self._start) / MIB


def _memory(key: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().split("\n") if line.startswith(key))
    return int(line.split()[1]) * 1024


def solved(model: Any, clip: Any, request: Any) -> tuple[Any, dict[str, float]]:
    """A whole Solve with its check, as the node does it, and what it cost."""
    peak, began, busy = Peak(), now(), time.process_time()
    report = pack.module("nodes.solve").solve_and_check(model, clip, request, Options())
    costs = {"whole": now() - began, "processor": time.process_time() - busy, "solve": report.solution.seconds}
    return report, costs | {"peak_mib": peak.mib()}


def described(report: Any) -> dict[str, Any]:
    """What came out, and the size of its file."""
    save = __import__("safetensors.torch", fromlist=["save"]).save
    tensors, metadata = pack.module("erasepro_core.files").pack(report, "float16")
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    return {
        "file_mib": len(save(tensors, metadata)) / MIB,
        "leak_unseen": mean(report.leak_unseen),
        "drift": max(report.drift.values()),
        "layers": len(report.residuals),
        "start": report.solution.start,
        "trials": len(report.solution.trials),
    }


def main() -> None:
    """Prints a line for each number of names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=SHAPES)
    parser.add_argument("--names", type=int, nargs="+", default=[1])
    parser.add_argument("--short", action="store_true", help="names of one token")
    parser.add_argument("--plain", action="store_true", help="the whole alone, as any commit can be measured")
    asked = parser.parse_args()
    model, clip = model_of(asked.family)
    clip.load_model()
    where = torch.cuda.get_device_name() if CUDA else f"{torch.get_num_threads()} CPU threads"
    if CUDA:  # the first solve of a process waits for CUDA itself
        solved(model, clip, request_of(1))
    clock, seen = (Clock(), []) if asked.plain else wrapped()
    for names in asked.names:
        request = request_of(names, one_token_words(clip) if asked.short else ())
        row: dict[str, Any] = {"family": asked.family, "names": names, "short": asked.short, "on": where}
        row |= {"built_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
        if not asked.plain:
            row |= uce(pack.module("nodes.host").HostPath(model, clip), request)
        clock.seconds.clear()
        seen.clear()
        report, costs = solved(model, clip, request)
        row |= costs | {"phases": dict(clock.seconds)}
        if not asked.plain:
            row |= described(report)
            row |= {"floor": floor(pack.module("nodes.host").HostPath(model, clip), report, list(seen))}
        print(json.dumps(row), flush=True)
        del report


if __name__ == "__main__":
    with torch.inference_mode():
        main()
