"""Letters of plots: fonts that can draw them, and what stands in where none can."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

_ROMAN = re.compile(r"(?:HIRAGANA|KATAKANA)(?: LETTER)?(?: SMALL)? ([A-Z]+)$|HANGUL SYLLABLE ([A-Z]+)$")
_LONG = "\u30fc"


def fonts_for(text: str) -> list[str]:
    """Font families that together draw as much of a text as the fonts of this machine can, the usual one first."""
    found: list[str] = []
    left = {letter for letter in text if not letter.isspace() and ord(letter) > 0x7F}
    for family in (_USUAL, *_installed()):
        if not left:
            break
        drawn = {letter for letter in left if ord(letter) in _letters(family)}
        if drawn or family == _USUAL:
            found.append(family)
            left -= drawn
    return found or [_USUAL]


def drawable(labels: Iterable[str], fonts: Iterable[str]) -> list[str]:
    """Labels with letters that none of the fonts draws romanised, or named by their number where that cannot be."""
    known: frozenset[int] = frozenset().union(*map(_letters, fonts))
    return [_drawable(label, known, number) for number, label in enumerate(labels, start=1)]


_USUAL = "DejaVu Sans"
"""Comes with matplotlib."""


def _drawable(label: str, known: frozenset[int], number: int) -> str:
    letters = [
        letter if ord(letter) in known or letter.isascii() or letter.isspace() else _roman(letter) for letter in label
    ]
    return f"name {number}" if None in letters else "".join(letter or "" for letter in letters)


def _roman(letter: str) -> str | None:
    """A letter in Latin ones; None where its name does not say how it sounds."""
    if letter == _LONG or unicodedata.category(letter) in ("Mn", "Cf"):
        return ""
    match = _ROMAN.match(unicodedata.name(letter, ""))
    return (match[1] or match[2]).lower() if match else None


@cache
def _installed() -> tuple[str, ...]:
    """The families that matplotlib knows, in the order of the alphabet."""
    from matplotlib.font_manager import fontManager

    return tuple(sorted({font.name for font in fontManager.ttflist}))


@cache
def _letters(family: str) -> frozenset[int]:
    """The letters that a font draws; none where its file cannot be read."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    try:
        font = get_font(findfont(FontProperties(family=[family]), fallback_to_default=False))
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (ValueError, OSError, RuntimeError):
        return frozenset()
