"""How far a long job is: its phase, the layer it is at, and how many of its steps are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What a job does; the value is for people. A solve reads the model, tries, solves and measures."""

    READING = "reading the model"
    TRYING = "trying start depths"
    SOLVING = "solving"
    MEASURING = "measuring the result"
    DRAWING = "drawing pictures"
    READING_WORDS = "reading the vocabulary"


@dataclass(frozen=True)
class Progress:
    """One step that was done."""

    phase: Phase
    done: int
    total: int
    """How many steps there will be at most; start depths that need not be tried are skipped."""
    layer: str = ""
    """The layer that was solved, if the step was one."""


Tick = Callable[[Progress], None]
"""Called after every step: shows progress, and raises to stop the solve."""


def ignore(progress: Progress) -> None:
    """The tick of those who do not want to know."""


class Steps:
    """Counts the steps of a job and tells each to a tick."""

    def __init__(self, total: int, tick: Tick):
        self.total, self.done, self._tick = total, 0, tick

    def __call__(self, phase: Phase, layer: str = "") -> None:
        """One more step is done."""
        self.done = min(self.done + 1, self.total)
        self._tick(Progress(phase, self.done, self.total, layer))

    def end(self, phase: Phase) -> None:
        """No more steps will come, however many were expected."""
        self._tick(Progress(phase, self.total, self.total))
