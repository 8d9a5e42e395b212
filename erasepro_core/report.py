"""Everything that is claimed of an erasure, as a value, as text and as plain values."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .checks import Check
from .compound import left_out
from .concept import Request
from .plain import plain
from .solution import FORGIVEN_LEAK, Solution

PACK_VERSION = "0.1.0"
ALIKE = 0.15
"""A target that differs from its anchor by less than this share of the anchor's size means about the same."""
SAME = 0.05
"""Names that stood no further from their anchor had next to nothing to erase."""
NOT_ERASED = 0.5
"""A concept with more leak than this on its own training sentences counts as not erased."""
LEFT_OUT = 0.1
"""The same where the anchor only leaves out words: with nothing in their place, what is left still shows (0110)."""
MOVED = 0.2
"""A name that was to stay and drifts further than this is warned of (docs/decisions/0031)."""


@dataclass(frozen=True)
class Residual:
    """What is left of one layer's gap, as a share of the gap before anything was changed."""

    kept: float
    """On the directions that the constraint holds exactly."""
    all: float
    """On all aligned tokens."""


@dataclass(frozen=True)
class Report:
    """Everything that is claimed of an erasure."""

    solution: Solution
    residuals: Mapping[str, Residual]
    """By layer name, in execution order."""
    leak_training: tuple[float, ...]
    """By concept, mean over the sentences it was solved on."""
    leak_unseen: tuple[float, ...]
    """By concept, mean over sentences it was not solved on."""
    leak_unlisted: tuple[float | None, ...]
    """By concept, mean over forms of its names that are not listed, such as plurals; None where all are."""
    leak_found: tuple[tuple[tuple[str, float], ...], ...]
    """By concept, names that were found and are not listed, each with its mean."""
    drift: Mapping[str, float]
    """Mean by group of prompts that should not have moved."""
    moved: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    """The names that moved most and how far, by group: preserves, related phrases, neighbours."""
    checks: tuple[Check, ...] = ()
    """Where the targets stood before: leak can be measured against them in any live model."""
    fingerprints: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of the weights it was solved on, by layer name; see `sketch.fingerprint`."""
    digest: str = ""
    """Short name of what was asked of which weights; see `digest_of`."""

    @property
    def residual_max(self) -> float:
        """Over all layers, on the directions kept."""
        return max(residual.kept for residual in self.residuals.values())

    def not_erased(self) -> list[str]:
        """Concepts that are still there."""
        return [str(self.solution.request.concepts[index]) for index, _ in self.still_there()]

    def still_there(self) -> list[tuple[int, float]]:
        """Concepts that are still there, by index, and what is left of each.

        Sentences that it was solved on count; unseen ones as well where target and anchor meant about the same before,
        since such a solve fits little more than its own sentences, and where the anchor only leaves out words.
        """
        left = []
        for index, both in enumerate(zip(self.leak_training, self.leak_unseen, strict=True)):
            leak = max(both) if self.meant_the_same(index) or self._left_out(index) else both[0]
            if not leak <= self.most_left(index):
                left.append((index, leak))
        return left

    def most_left(self, index: int) -> float:
        """The largest leak at which a concept counts as erased.

        It is less where there was next to nothing to erase, and where the anchor only leaves out words of a name.
        """
        if self._left_out(index):
            return LEFT_OUT
        return NOT_ERASED if self.contrast(index) > SAME else FORGIVEN_LEAK

    def _left_out(self, index: int) -> str:
        return left_out(self.solution.request.concepts[index])

    def contrast(self, index: int) -> float:
        """How far the names of a concept stood from their anchor at most, as a share of the anchor's size.

        Infinite where no check tells.
        """
        contrasts = [check.contrast for check in self.checks if check.pair.concept == index]
        return max(contrasts, default=math.inf)

    def meant_the_same(self, index: int) -> bool:
        """Whether all names of a concept meant about the same as its anchor before."""
        return not self.contrast(index) > ALIKE

    def get_ram_usage(self) -> int:
        """Bytes; the host asks this of values it caches."""
        return self.solution.updates.nbytes()

    def short(self) -> str:
        """A few lines for the node."""
        solution = self.solution
        leaks = zip(self.leak_training, self.leak_unseen, self.leak_unlisted, self.leak_found, strict=True)
        lines = []
        for concept, (seen, new, form, found) in zip(solution.request.concepts, leaks, strict=True):
            lines += [
                str(concept),
                f"  leak {seen:.3f} in sentences solved on, {new:.3f} in unseen ones (1 all, 0 gone)",
            ]
            if form is not None:
                forms = ", ".join(form for form, _ in solution.request.forms(concept).values())
                lines.append(f"  leak {form:.3f} in forms of its names: {forms}")
            if found:
                lines.append(f"  leak in names found and not listed: {_listed(found)}")
        lines += [f"NOT ERASED: {concept}" for concept in self.not_erased()]
        lines.append("drift: " + ", ".join(f"{name} {moved:.3f}" for name, moved in self.drift.items()))
        lines += [f"moved most, {name}: {_listed(moved)}" for name, moved in self.moved.items() if moved]
        lines += self.warnings()
        lines.append(f"residual at most {self.residual_max:.1e} in {len(self.residuals)} layers, {self._where()}")
        if solution.own_words:
            lines.append(f"tokens that become the anchor's: {', '.join(solution.own_words)}")
        size = solution.updates.nbytes() / 1e6
        lines.append(f"{size:.2f} MB, solved in {solution.seconds:.1f} s")
        lines.append(f"digest {self.digest}")
        return "\n".join(lines)

    def warnings(self) -> list[str]:
        """What a person should know: remarks on the request, what is left, and names that drifted over `MOVED`."""
        lines, there = list(self.solution.remarks), {index for index, _ in self.still_there()}
        for index, leak in enumerate(self.leak_unseen):
            if index not in there and not leak <= FORGIVEN_LEAK:
                lines.append(
                    f"LEFT, {self.solution.request.concepts[index]}: leak {leak:.2f} in unseen sentences. Pictures may "
                    "still show it now and then. Look at pictures, raise the tolerance, or choose an anchor that is "
                    "closer to the target."
                )
        for group, moved in self.moved.items():
            far = [each for each in moved if not each[1] <= MOVED]
            if far:
                lines.append(
                    f"MOVED, {group}: {_listed(far)}. Pictures of these may change. Choose an anchor that is closer to "
                    "the target, or erase fewer names at once."
                )
        return lines

    def _where(self) -> str:
        depths = {record.depth for record in self.solution.layers}
        first = f"depth {min(depths)}" if min(depths) >= 0 else "the table of tokens"
        return f"from {first} to depth {max(depths)}" if max(depths) >= 0 else "the table of tokens alone"

    def table(self) -> str:
        """One line a layer, as Markdown."""
        lines = ["| layer | depth | gap | left to do | residual kept | residual all | update | rank | condition |"]
        lines.append("| --- " * 9 + "|")
        for record in self.solution.layers:
            left = self.residuals[record.name]
            lines.append(
                f"| {record.name} | {record.depth} | {record.gap:.3g} | {record.required:.3g} | {left.kept:.1e} | "
                f"{left.all:.1e} | {record.size:.3g} | {record.rank} | {record.condition:.0f} |"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """The lines for the node and the table."""
        return f"{self.short()}\n\n{self.table()}"

    def as_dict(self) -> dict:
        """The same as plain values, for JSON."""
        solution = self.solution
        names = "name", "depth", "gap", "required", "size", "rank", "condition"
        values = {
            "concepts": [str(concept) for concept in solution.request.concepts],
            "preserves": list(solution.request.preserves),
            "options": solution.options.as_dict(),
            "family": solution.updates.family,
            "digest": self.digest,
            "checksum": solution.updates.checksum(),
            "bytes": solution.updates.nbytes(),
            "start": solution.start,
            "own_words": list(solution.own_words),
            "trials": [asdict(trial) for trial in solution.trials],
            "leak": {
                "training": list(self.leak_training),
                "unseen": list(self.leak_unseen),
                "unlisted": list(self.leak_unlisted),
                "found": [dict(found) for found in self.leak_found],
            },
            "drift": dict(self.drift),
            "moved": {group: [list(each) for each in moved] for group, moved in self.moved.items()},
            "warnings": self.warnings(),
            "residual_max": self.residual_max,
            "seconds": solution.seconds,
            "layers": [
                {name: getattr(record, name) for name in names} | asdict(self.residuals[record.name])
                for record in solution.layers
            ],
        }
        return plain(values)


def _listed(moved: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {drift:.3f}" for name, drift in moved)


def digest_of(solution: Solution, fingerprints: Mapping[str, Sequence[float]]) -> str:
    """Short name of an erasure that was solved on weights with these fingerprints.

    It is of the request, the options, the weights, the start and tolerance that were chosen, and the pack's version: of
    everything that decides the contents but the order in which a machine adds up (docs/decisions/0022).
    """
    asked = [_asked(solution.request), solution.options.as_dict(), solution.updates.family, dict(fingerprints)]
    chosen = [solution.start, list(solution.own_words)] if solution.own_words else [solution.start]
    chosen += [solution.share] if solution.share != 1.0 else []
    text = json.dumps([*asked, *chosen, PACK_VERSION], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _asked(request: Request) -> dict[str, Any]:
    """The request in the form that digests are of; what a user does not use adds nothing to it."""
    kind_parts = "name", "default_anchor", "templates", "unseen"
    concepts = [
        {"names": c.names, "anchor": c.anchor, "kind": {part: getattr(c.kind, part) for part in kind_parts}}
        | ({"sentences": c.sentences, "only_own": c.only_own} if c.sentences else {})
        | ({"local": [c.kind.local[language] for language in c.languages]} if c.languages else {})
        for c in request.concepts
    ]
    return {"concepts": concepts, "preserves": request.preserves, "everyday": request.everyday}
