"""What lines of one request cannot ask for together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .phrase import key


class Line(Protocol):
    """A concept, as its line says it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The target and its aliases."""
        ...

    @property
    def anchor(self) -> str:
        """What the model shall understand instead."""
        ...


class Conflicts:
    """The lines of a request so far, and what the next one contradicts."""

    def __init__(self, preserves: Iterable[str] = ()):
        self._erased_by: dict[str, Line] = {}
        self._anchor_of: dict[str, Line] = {}
        self._preserved: set[str] = set()
        self.keep(preserves)

    def keep(self, preserves: Iterable[str]) -> str | None:
        """Notes more preserves; the reason why they cannot stand beside the lines so far, or None."""
        more = set(map(key, preserves))
        self._preserved |= more
        if more.isdisjoint(self._erased_by):
            return None
        return next(filter(None, map(self._with_itself, self._erased_by.values())))

    def add(self, line: Line) -> str | None:
        """Notes a line; the reason why it cannot stand beside those before it, or None."""
        reason = self._with_itself(line) or self._with_others(line)
        for name in line.names:
            self._erased_by.setdefault(key(name), line)
        self._anchor_of.setdefault(key(line.anchor), line)
        return reason

    def _with_itself(self, line: Line) -> str | None:
        for name in line.names:
            if key(name) in self._preserved:
                return f"{name!r} stands in the concepts to erase and in the preserves. Remove it from one of them."
        return None

    def _with_others(self, line: Line) -> str | None:
        for name in line.names:
            known = self._erased_by.get(key(name))
            if known is not None and key(known.anchor) != key(line.anchor):
                return (
                    f"{name!r} is asked to become both {known.anchor!r} and {line.anchor!r}. Keep one of the two lines."
                )
            if anchored := self._anchor_of.get(key(name)):
                return _erased_anchor(anchored, line)
        erasing = self._erased_by.get(key(line.anchor))
        return None if erasing is None else _erased_anchor(line, erasing)


def _erased_anchor(anchored: Line, erasing: Line) -> str:
    """A target cannot become what another line takes away."""
    return (
        f"{anchored.anchor!r} is the anchor of '{anchored}', but '{erasing}' erases it. Name another anchor, or erase "
        "the second in a Solve of its own, behind Apply Erasure of the first."
    )
