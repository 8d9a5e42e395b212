"""What people type around names: emphasis, escapes, list marks, arrows, comments. Read as meant, or refused by name.

web/lines.js splits lines in the same way; tests/spellings/table.json holds both to it.
"""

from __future__ import annotations

import re
import unicodedata

from .phrase import INVISIBLE, SPACES, clean

LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_DASHES = "[-\uff0d\u2010-\u2015\u2212\u30fc=\uff1d]"
ARROWS = re.compile(
    f"(?<!{_DASHES}){_DASHES}+[>\uff1e]|[\u2192\u21d2\u27f6\u27f9\u2794\u2799\u279b\u279c\u279d\u279e\u27a1\u21e8\u21a6]\ufe0f?"
)
BARS = re.compile("[|\uff5c\uffe8\u2502\u2223¦]")
COMMENT = re.compile(rf"^{SPACES}*(?:[#\uff03]|//).*|(?<!{SPACES}){SPACES}+(?:[#\uff03]|//)(?:{SPACES}.*)?$")
"""A comment line, or a comment behind something, with spaces around its sign."""
BULLETS = "-*+•\u2023\u25e6\u25aa\u25cf\u25cb\u25a0\u25a1·\u30fb–—"
LIST_MARK = re.compile(
    rf"(?:{SPACES}*(?:(?:[{re.escape(BULLETS)}]|\(?\d{{1,2}}[.)\uff0e\uff09]){SPACES}+|[•\u30fb\u25cf]|\d{{1,2}}\u3001|[\u2460-\u2473]){SPACES}*)+"
)
_QUOTED = re.compile(
    "\"([^\"]+)\"|'([^']+)'|“([^”]+)”|„([^“”]+)[“”]|‘([^’]+)’|«([^»]+)»|\u300c([^\u300d]+)\u300d|\u300e([^\u300f]+)\u300f"
)
_WEIGHTED = re.compile(r"\(([^()]*?)\s*:\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*\)")
_GROUP = re.compile(r"\(([^()]*)\)")
_TRAILING = " ,;\uff0c\u3001\uff1b"
LONGEST = 1000
"""Letters of a name; no text encoder reads a longer one."""
DEEPEST = 20
"""How deep brackets of a prompt are taken for emphasis."""
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Stand for escaped brackets while the others are read."""


class MarkError(ValueError):
    """Neither plain words nor a mark that is read; the message has the character and the right form."""


def split_lines(text: str) -> list[str]:
    """The lines of a text, at every character that ends a line anywhere."""
    return LINE_ENDS.split(text)


def said(line: str) -> str:
    """What a line says: without comment, list mark and characters that cannot be seen; empty where that is nothing."""
    line = COMMENT.sub("", INVISIBLE.sub("", line))
    if marks := LIST_MARK.match(line):
        line = line[marks.end() :]
    return clean(COMMENT.sub("", line))


def read_name(phrase: str) -> str:
    """A name as it is meant: no quotes, list marks, emphasis or escapes around it, brackets that belong to it kept.

    Raises:
        MarkError: it is not plain words.
    """
    if len(phrase) > LONGEST:
        raise MarkError(f"{phrase[:40]!r} and what follows has {len(phrase)} letters; a name has at most {LONGEST}.")
    refuse_marks(phrase)
    for found, says in _NOT_IN_NAMES:
        if match := found.search(phrase):
            raise MarkError(f"{clean(phrase)!r} is not plain words: {says.format(match[0].strip())}")
    name, before = clean(_plain(phrase)), None
    while name != before:
        before = name
        name = said(name).rstrip(_TRAILING)
        name = next(filter(None, quoted.groups())) if (quoted := _QUOTED.fullmatch(name)) else name
        name = _unwrapped(_WEIGHTED.sub(r"\1", name))
    if depth(name) is None:
        raise MarkError(
            f"{clean(phrase)!r} has a bracket without its other half. Add it, or write \\( or \\) for the sign itself."
        )
    name = _closed(name)
    if name and not any(letter.isalnum() or _is_picture(letter) for letter in name):
        raise MarkError(f"{clean(phrase)!r} has no letters. Write the words that people type.")
    return name


def read_prompt(prompt: str) -> str:
    """A prompt as its words: emphasis and escapes are taken off, since only its meaning counts.

    Raises:
        MarkError: it has something that no text encoder reads.
    """
    refuse_marks(prompt)
    prompt = said(_plain(prompt))
    for _ in range(DEEPEST):
        prompt = _GROUP.sub(r"\1", _WEIGHTED.sub(r"\1", prompt))
    return clean(_closed(prompt))


def read_probe(prompt: str) -> str:
    """A prompt for the model as it is typed, emphasis and all; raises MarkError as `read_prompt` does."""
    refuse_marks(prompt)
    return said(unicodedata.normalize("NFC", prompt))


def written(name: str) -> str:
    """A name as a line has it, so that it is read as it is: brackets are escaped where they would be emphasis."""
    try:
        if read_name(name) == name:
            return name
    except MarkError:
        pass
    return escaped(name)


def escaped(name: str) -> str:
    """A name as a prompt has it that takes brackets for emphasis."""
    return re.sub(r"([()])", r"\\\1", name)


def refuse_marks(text: str) -> None:
    """Raises MarkError for what means something in other programs, and is mere letters to a text encoder here."""
    for found, says in _NOWHERE:
        if match := found.search(text):
            raise MarkError(f"{clean(text)!r} is not plain words: {says.format(match[0].strip())}")
    for letter in text:
        if letter == "\ufffd" or (unicodedata.category(letter) in ("Cs", "Co", "Cc") and not letter.isspace()):
            raise MarkError(f"{clean(text)!r} has the character U+{ord(letter):04X}, which is no text. Take it out.")


def depth(name: str) -> int | None:
    """How deep the brackets of a name go; None where they do not match."""
    now = most = 0
    for letter in name:
        now += (letter == "(") - (letter == ")")
        most = max(most, now)
        if now < 0:
            return None
    return None if now else most


def _is_picture(letter: str) -> bool:
    return unicodedata.category(letter) == "So" and letter not in BULLETS


def _plain(text: str) -> str:
    """Composed letters, plain hyphens, no characters without width, escaped brackets out of the way."""
    text = INVISIBLE.sub("", unicodedata.normalize("NFC", text)).replace("\u2011", "-").replace("\u2010", "-")
    return text.replace(r"\(", _OPEN).replace(r"\)", _CLOSE)


def _closed(text: str) -> str:
    return text.replace(_OPEN, "(").replace(_CLOSE, ")")


def _unwrapped(name: str) -> str:
    """The inside of a name that stands in brackets as a whole: emphasis."""
    inside = name[1:-1]
    return inside if name[:1] == "(" and name[-1:] == ")" and depth(inside) is not None else name


_NOWHERE = (
    (re.compile("<[^<>:]*:[^<>]*>"), "{} is a command of another program. Load LoRAs with a node, and take it out."),
    (re.compile(r"embedding:\S*", re.I), "{} is an embedding, which has no words. Write the words that it stands for."),
    (
        re.compile(r"(?<![\w])__[^\W_][\w/.*-]{0,100}?__(?!\w)"),
        "{} is a wildcard. Write out what it can be, one a line.",
    ),
    (
        re.compile(r"\{[^{}|]*\|[^{}]*\}?"),
        "{} is a choice. Write out what it can be: a | b for names, else one a line.",
    ),
    (re.compile(r"/\*"), "{} starts no comment. Put a # in front of a comment."),
)
_NOT_IN_NAMES = (
    (re.compile(r"[{}]"), "{} has no place in a name. Write the words alone."),
    (
        re.compile("[<>\uff1c\uff1e\u2190\u21d0\u27f5\u2b05\u2194\u21d4]"),
        "{} has no place in a name. Write target -> anchor, with the arrow ->.",
    ),
    (re.compile(r"[][]"), "{} does not emphasise here, it is a letter. Write the words without it."),
    (re.compile(r"\\(?![()])"), r"{} stands only in \( and \), for brackets that are part of a name."),
    (re.compile(r":\d*\.\d+\s*$"), "{} is a weight without brackets. Write the words without it."),
    (
        re.compile(rf"(?:^|{SPACES})[#\uff03](?=[^\d{SPACES[1:]})"),
        "{} may start a comment. Write # and a space for one.",
    ),
)
