"""The audit: what a live model still understands of some concepts, by checks and by further sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from torch import Tensor

from .checks import Check, checks_of, contrast, finite, has_moved_away, leak_against, sketched
from .concept import Request
from .mention import mentions
from .path import TextPath
from .phrase import key
from .plain import plain
from .probes import NOT_ASKED, Probe, checked_probes, further_probes, named_probes, unseen_probes
from .spellings import spelled_out

THRESHOLD = 0.3
"""A name with more leak than this counts as still there."""


@dataclass(frozen=True)
class Finding:
    """One sentence, measured in a live model."""

    group: str
    """What the sentence varies."""
    concept: int
    name: str
    prompt: str
    leak: float
    """1: as far from its anchor as before the erasure, 0: at its anchor."""


@dataclass(frozen=True)
class Audit:
    """What a live model still understands of some concepts."""

    request: Request
    findings: tuple[Finding, ...]
    threshold: float
    remarks: tuple[str, ...] = ()
    """What else a person should know."""

    def __post_init__(self) -> None:
        known = self.leaks()
        if not self.request.concepts:
            raise ValueError("the request names no concept, so there is nothing to look for. Solve again.")
        names = [(index, name) for index, concept in enumerate(self.request.concepts) for name in concept.names]
        if silent := [name for index, name in names if (index, name) not in known]:
            raise ValueError(
                f"no sentence names {', '.join(map(repr, silent))}, so nothing says whether it is gone. Solve "
                "again, or load a file that Save Erasure wrote."
            )

    def leaks(self) -> dict[tuple[int, str], float]:
        """Leak by concept and name: the mean of the group of sentences with the highest one.

        Forms and names that are not listed do not count. A mean over all groups would hide a high leak in a small one.
        """
        groups: dict[tuple[int, str], dict[str, list[float]]] = {}
        for f in self.findings:
            if f.group not in NOT_ASKED:
                groups.setdefault((f.concept, f.name), {}).setdefault(f.group, []).append(f.leak)
        return {owner: max(map(fmean, found.values())) for owner, found in groups.items()}

    def by_group(self) -> dict[str, float]:
        """Mean leak by what is varied."""
        groups = dict.fromkeys(finding.group for finding in self.findings)
        return {group: fmean(f.leak for f in self.findings if f.group == group) for group in groups}

    @property
    def leak(self) -> float:
        """The highest of all names."""
        return max(self.leaks().values())

    @property
    def passed(self) -> bool:
        """Whether every name is below the threshold; not so when a figure is no number."""
        return all(leak <= self.threshold for leak in self.leaks().values())

    def failures(self) -> list[str]:
        """Every name above the threshold, with its leak and the sentence it leaks most in."""
        lines = []
        for (index, name), leak in self.leaks().items():
            if not leak <= self.threshold:
                own = [f for f in self.findings if (f.concept, f.name) == (index, name) and f.group not in NOT_ASKED]
                worst = max(own, key=lambda f: f.leak)
                lines.append(
                    f"{name!r} of {self.request.concepts[index]}: leak {leak:.2f}, most in {worst.prompt!r} "
                    f"({worst.leak:.2f})"
                )
        return lines

    def short(self) -> str:
        """A few lines for the node."""
        verdict = "erased" if self.passed else "NOT ERASED"
        lines = [
            f"{verdict}: leak {self.leak:.3f}, threshold {self.threshold:.2f} (1 untouched, 0 gone)",
            *self.failures(),
        ]
        lines += [f"{group}: {leak:.3f}" for group, leak in self.by_group().items()]
        return "\n".join([*lines, *self.remarks])

    def markdown(self) -> str:
        """The verdict and one line a sentence."""
        lines = [*self.short().splitlines(), "", "| what is varied | name | sentence | leak |", "| --- " * 4 + "|"]
        lines += [f"| {f.group} | {f.name} | {f.prompt} | {f.leak:.3f} |" for f in self.findings]
        return "\n".join(lines)

    def as_dict(self) -> dict:
        """The same as plain values, for JSON."""
        values = {
            "erased": self.passed,
            "leak": self.leak,
            "threshold": self.threshold,
            "names": [
                {"concept": str(self.request.concepts[index]), "name": name, "leak": leak}
                for (index, name), leak in self.leaks().items()
            ],
            "groups": self.by_group(),
            "remarks": list(self.remarks),
            "findings": [asdict(finding) for finding in self.findings],
        }
        return plain(values)


def guard(request: Request, checks: Sequence[Check], path: TextPath, threshold: float) -> Audit:
    """Measures the sentences that have a check, in a live model."""
    probes = checked_probes(check.pair for check in checks)
    return Audit(request, tuple(_measured(probes, checks, path)), threshold)


def audit(
    request: Request, checks: Sequence[Check], path: TextPath, threshold: float, prompts: Iterable[str] = ()
) -> Audit:
    """Measures the same and more: two objects, word order, repetition, forms that are not listed, the user's prompts.

    A sentence without a check of its own is measured against the mean of the checks of its name, so its leak in a model
    with nothing erased is about 1 and not exactly.

    Args:
        prompts: sentences of the user's own; `{}` stands for every name, else the names that occur in it are taken.
    """
    probes = checked_probes(check.pair for check in checks)
    live = sketched([probe.pair for probe in probes], path)
    moved = _moved_anchors(probes, checks, live, threshold)
    further = [p for p in further_probes(request, prompts) if (p.pair.concept, p.name) not in moved]
    findings = _by_usual(further, checks, path)
    remarks = tuple(
        f"{request.concepts[index].anchor!r}, the anchor of {name!r}, has another meaning in this model, as after "
        "another erasure. Only sentences that the erasure has a check for are measured."
        for index, name in moved
    )
    return Audit(request, (*_by_checks(probes, checks, live), *findings), threshold, remarks)


def audit_prompt(request: Request, checks: Sequence[Check], path: TextPath, prompt: str) -> list[Finding]:
    """Measures one prompt as it is written, once for each name that it mentions; nothing if it mentions none.

    As in `audit`, the measure is the mean of the checks of the name.
    """
    return _by_usual(named_probes(request, prompt), checks, path)


def _moved_anchors(
    probes: Sequence[Probe], checks: Sequence[Check], live: Sequence[tuple[Tensor, Tensor]], threshold: float
) -> list[tuple[int, str]]:
    """The names, by concept, whose anchor of today says nothing any more about whether they are gone."""
    return list(
        dict.fromkeys(
            (probe.pair.concept, probe.name)
            for probe, check, both in zip(probes, checks, live, strict=True)
            if has_moved_away(check, *both) and contrast(*both) > threshold * check.contrast
        )
    )


def audit_against(
    request: Request, before: TextPath, path: TextPath, threshold: float, prompts: Iterable[str] = ()
) -> Audit:
    """The same for a model whose state before any erasure is at hand: every sentence has a check of its own."""
    request = spelled_out(request, before)
    probes = [*unseen_probes(request), *further_probes(request, prompts)]
    checks = checks_of([probe.pair for probe in probes], before, emphasis=True)
    told = [n for n, check in enumerate(checks) if check.contrast > 0 or probes[n].group not in NOT_ASKED]
    findings = _measured([probes[n] for n in told], [checks[n] for n in told], path, emphasis=True)
    return Audit(request, tuple(findings), threshold)


def negative_remarks(found: Audit, negative: str) -> tuple[str, ...]:
    """A warning for each erased name that stands in a negative prompt which the erased CLIP encodes."""
    gone = {key(name): (index, name) for (index, name), leak in found.leaks().items() if leak <= found.threshold}
    return tuple(
        f"The negative prompt names {name!r}. Encoded by the erased CLIP it reads as "
        f"{found.request.concepts[index].anchor!r}, and guidance pushes away from that. Encode negative prompts with "
        "the CLIP from before Apply Erasure, or take the name out."
        for index, name in gone.values()
        if mentions(negative, name)
    )


def _measured(
    probes: Sequence[Probe], checks: Sequence[Check], path: TextPath, emphasis: bool = False
) -> list[Finding]:
    """Each sentence, measured by its own check."""
    return _by_checks(probes, checks, sketched([probe.pair for probe in probes], path, emphasis))


def _by_checks(
    probes: Sequence[Probe], checks: Sequence[Check], live: Sequence[tuple[Tensor, Tensor]]
) -> list[Finding]:
    return [
        _finding(probe, leak_against(check, *both)) for probe, check, both in zip(probes, checks, live, strict=True)
    ]


def _by_usual(probes: Sequence[Probe], checks: Sequence[Check], path: TextPath) -> list[Finding]:
    """Each sentence, measured by the mean of the checks of its name."""
    usual, both = _usual(checks), sketched([probe.pair for probe in probes], path, emphasis=True)
    return [
        _finding(probe, finite(contrast(*found) / usual[probe.pair.concept, probe.name]))
        for probe, found in zip(probes, both, strict=True)
    ]


def _finding(probe: Probe, leak: float) -> Finding:
    return Finding(probe.group, probe.pair.concept, probe.name, probe.pair.target_prompt, leak)


def _usual(checks: Sequence[Check]) -> dict[tuple[int, str], float]:
    """Mean contrast by concept and name."""
    owners = dict.fromkeys((check.pair.concept, check.pair.target) for check in checks)
    return {o: fmean(c.contrast for c in checks if (c.pair.concept, c.pair.target) == o) for o in owners}
