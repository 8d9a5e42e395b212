"""Names as people write them: spacing, case, and whether a text mentions one."""

from __future__ import annotations

import re
from collections.abc import Iterable


def clean(phrase: str) -> str:
    """One space between words, none around them; a byte order mark, as files begin with, counts as space."""
    return re.sub(r"[\s\ufeff]+", " ", phrase).strip()


def key(phrase: str) -> str:
    """What two spellings of the same phrase share: the tokenizers of this field ignore case."""
    return clean(phrase).casefold()


def mentions(text: str, name: str) -> bool:
    """Whether a text has a name as whole words, in any case, with any punctuation around it."""
    return any_of([name]).search(text) is not None


def spellings(text: str, name: str) -> list[str]:
    """How a text spells a name, each spelling once, in their order."""
    return list(dict.fromkeys(any_of([name]).findall(text)))


def opened(text: str, name: str) -> str:
    """The text with `{}` for every mention of a name."""
    return any_of([name]).sub("{}", text)


def any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Finds the mentions of any of the names, of which there must be one: a single search for a thousand of them."""
    words = "|".join(r"\s+".join(map(re.escape, name.split())) for name in names)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
