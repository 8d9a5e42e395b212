"""Names as people write them: spacing, case, and whether a text mentions one."""

from __future__ import annotations

import re


def clean(phrase: str) -> str:
    """One space between words, none around them."""
    return re.sub(r"\s+", " ", phrase).strip()


def key(phrase: str) -> str:
    """What two spellings of the same phrase share: the tokenizers of this field ignore case."""
    return clean(phrase).casefold()


def mentions(text: str, name: str) -> bool:
    """Whether a text has a name as whole words, in any case, with any punctuation around it."""
    return _whole_words(name).search(text) is not None


def opened(text: str, name: str) -> str:
    """The text with `{}` for every mention of a name."""
    return _whole_words(name).sub("{}", text)


def _whole_words(name: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, name.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
