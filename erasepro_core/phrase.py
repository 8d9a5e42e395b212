"""Names as people write them: what two spellings of one name share, and the script that a name is written in."""

from __future__ import annotations

import re
import unicodedata

SPACES = r"[\t\x1f \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]"
"""One character that separates words of a line, as a pattern."""
WIDTHS = str.maketrans(
    {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys([*range(0x2000, 0x200B), 0xA0, 0x202F, 0x205F, 0x3000], " ")
    | {0x2010: "-", 0x2011: "-", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0xFF5E: "~"}
)
"""Full-width letters, curly quotes and odd spaces as the plain ones, one character for one."""
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
"""Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, kana and Han; the inside of a `[]` pattern."""
UNSPACED += "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
INVISIBLE = re.compile(
    "[\xad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    "|(?<![^\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f])"
)
"""Characters without width. Joiners count between letters of scripts that need them, and in emoji."""
_LANGUAGES = {
    "ja": re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]"),
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}


def clean(phrase: str) -> str:
    """One space between words, none around them; a byte order mark, as files begin with, counts as space."""
    return re.sub(r"[\s\ufeff]+", " ", phrase).strip()


def key(phrase: str) -> str:
    """What all spellings of one name share: case, `_` for spaces, brackets and full-width letters say nothing."""
    plain = phrase.translate(WIDTHS)
    return clean(re.sub(r"[_()\\]", " ", plain)).casefold() or clean(plain).casefold()


def language(*phrases: str) -> str | None:
    """The language of sentences that phrases are said in, from their letters: `zh`, `ja`, `th`, else None.

    Han letters alone count as Chinese; with kana in one of the phrases as Japanese.
    """
    return next((name for name, letters in _LANGUAGES.items() if any(map(letters.search, phrases))), None)


def ends_latin(name: str) -> bool:
    """Whether a name ends with a letter or digit that an English ending can follow."""
    return name[-1:].isascii() or unicodedata.name(name[-1], "").startswith("LATIN ")
