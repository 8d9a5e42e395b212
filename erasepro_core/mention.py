"""Whether a text mentions a name, whatever script it is in and whatever stands around it. Nothing else decides this."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .phrase import INVISIBLE, SPACES, UNSPACED, WIDTHS


def _ranges(codes: Iterable[int]) -> str:
    """Characters as the inside of a `[]` pattern."""
    found: list[list[int]] = []
    for code in codes:
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in found)


_MARKS = _ranges(code for code in range(0x300, 0x3100) if unicodedata.category(chr(code)).startswith("M"))
"""Accents, vowel signs and tones: part of the letter before them."""
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_GAP = rf"(?:{SPACES}|_)+"
_WIDE_GAP = rf"(?:{SPACES}|[_()\\]|:\d*\.?\d+)+"
"""The same where brackets, which emphasise, may stand as well."""


class Mentions:
    """Finds the mentions of any of some names, of which there must be one: a single search for a thousand of them.

    A name is found in any case, beside any punctuation, emphasised, with `_` for its spaces, with its brackets escaped,
    plain or left out. In scripts without spaces it may stand inside a sentence; a Korean ending may follow it.
    """

    def __init__(self, names: Iterable[str]):
        # The longest first: of `red` and `red wine` it is the second that `red wine` mentions.
        grouped: dict[tuple[str, str], dict[str, None]] = {}
        for name in sorted(dict.fromkeys(names), key=len, reverse=True):
            letters = name.translate(WIDTHS).strip("()_ \t")
            grouped.setdefault((_before(letters[:1]), _behind(letters[-1:])), {}).update(dict.fromkeys(_forms(name)))
        edged = (f"{before}(?:{'|'.join(forms)}){behind}" for (before, behind), forms in grouped.items())
        self._pattern = re.compile("|".join(edged), re.IGNORECASE)

    def within(self, text: str) -> bool:
        """Whether there is one in a text."""
        return self._pattern.search(INVISIBLE.sub("", text).translate(WIDTHS)) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where they stand in a text."""
        return [match.span() for match in self._pattern.finditer(text.translate(WIDTHS))]


def mentions(text: str, name: str) -> bool:
    """Whether a text mentions a name."""
    return Mentions([name]).within(text)


def spellings(text: str, name: str) -> list[str]:
    """How a text spells a name, each spelling once, in their order."""
    return list(dict.fromkeys(text[first:last] for first, last in Mentions([name]).spans(text)))


def opened(text: str, name: str) -> str:
    """The text with `{}` for every mention of a name."""
    parts, behind = [], 0
    for first, last in Mentions([name]).spans(text):
        parts += [text[behind:first], "{}"]
        behind = last
    return "".join([*parts, text[behind:]])


def _forms(name: str) -> list[str]:
    """Patterns of a name: as it is, and where it has brackets without them, for a prompt they may be emphasis in."""
    name = name.translate(WIDTHS)
    bare = re.sub(r"[()_]", " ", name).strip()
    whole = "".join(rf"\\?\{part}" if part in "()" else _words(part, _GAP) for part in re.split("([()])", name) if part)
    return [whole] if bare in (name, "") else [whole, _words(bare, _WIDE_GAP)]


def _words(part: str, gap: str) -> str:
    """Words with any gap between them."""
    return gap.join(map(re.escape, re.split(rf"{SPACES}+|_+", part)))


def _before(first: str) -> str:
    """What may not stand before a name: letters of a script with spaces, if it starts with one of them.

    `cat` is no part of `bobcat`, but stands right behind a Chinese word.
    """
    return rf"(?-i:(?<![^\W{UNSPACED}_]))" if re.match(rf"[^\W{UNSPACED}]", first) else ""


def _behind(last: str) -> str:
    """What may not follow a name: an accent of its last letter; after a script with spaces, another letter of such."""
    # None of these letters has a case, and to look for one takes most of a pattern's time.
    accents = f"(?-i:(?![{_MARKS}]))" if last else ""
    if re.match(rf"[^\W{UNSPACED}{_HANGUL}]", last):
        return rf"(?-i:(?![^\W{UNSPACED}_])){accents}"
    return accents
