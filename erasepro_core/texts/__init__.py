"""Sentences, everyday prompts and names, as text files with one item a line."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def lines(file: str) -> tuple[str, ...]:
    """The lines of a file of this folder, without blank ones."""
    return tuple(line for line in (_FOLDER / f"{file}.txt").read_text(encoding="utf-8").splitlines() if line)


def sections(file: str) -> dict[str, tuple[str, ...]]:
    """The lines of a file by the heading that they stand under; a heading is a line that starts with `# `."""
    found: dict[str, list[str]] = {}
    for line in lines(file):
        if line.startswith("# "):
            found[line.removeprefix("# ")] = []
        else:
            found[list(found)[-1]].append(line)
    return {heading: tuple(below) for heading, below in found.items()}
