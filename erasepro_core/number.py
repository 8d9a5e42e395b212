"""The other number of English nouns: the plural of a singular, the singular of a plural."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import takewhile

from .phrase import ends_latin, key
from .texts import lines

_NOUN = re.compile(r"(?P<noun>\S+)(?P<behind> (?:of|with|without|in|on|at|from|for|wearing) .*)?$")
"""The noun of a name: its last word, but for what says more of it, as in `man with two hats`."""


def other_number(name: str) -> str:
    """The plural of a name; of a plural, the singular. The name itself where both are the same, as of `sheep`."""
    found = _NOUN.search(name)
    if found is None:
        return name
    noun = found["noun"]
    singular, plural = _numbers(noun.lower())
    new = singular if noun.lower() == plural else plural
    kept = len(list(takewhile(lambda letters: letters[0] == letters[1], zip(noun.lower(), new, strict=False))))
    return name[: found.start()] + noun[:kept] + new[kept:] + (found["behind"] or "")


def is_plural(name: str) -> bool:
    """Whether a name is a plural, by its letters."""
    found = _NOUN.search(name)
    return found is not None and found["noun"].lower() == _numbers(found["noun"].lower())[1]


def goes_on(word: str, name: str) -> bool:
    """Whether an English word begins with a name and is not its plural, as `bookstore` does with `book`."""
    word, name = key(word), key(name)
    return ends_latin(name) and word.startswith(name) and word not in (name, other_number(name))


@lru_cache(maxsize=8192)
def _numbers(noun: str) -> tuple[str, str]:
    """Singular and plural of a noun that is one of the two."""
    for singular, plural in _irregular():
        for ending in (singular, plural):
            if noun == ending or (ending.startswith("-") and noun.endswith(ending[1:])):
                stem = noun.removesuffix(ending.lstrip("-"))
                return stem + singular.lstrip("-"), stem + plural.lstrip("-")
    if len(noun) > 3 and noun.endswith("s") and not noun.endswith(("ss", "us", "is")):
        return _singular(noun), noun
    return noun, _plural(noun)


@cache
def _irregular() -> tuple[tuple[str, str], ...]:
    """Nouns that the rules below do not know, whole words before endings, which begin with a hyphen."""
    pairs = [tuple(line.split()) for line in lines("plurals")]
    return tuple((singular, plural) for singular, plural in sorted(pairs, key=lambda pair: pair[0].startswith("-")))


def _singular(plural: str) -> str:
    if plural.endswith("ies") and len(plural) > 4:
        return f"{plural[:-3]}y"
    return plural[:-2] if re.search(r"(ss|x|z|ch|sh|[^ao]us)es$", plural) else plural[:-1]


def _plural(singular: str) -> str:
    if re.search(r"[^aeiou]y$", singular):
        return f"{singular[:-1]}ies"
    return f"{singular}es" if singular.endswith(("s", "x", "z", "ch", "sh")) else f"{singular}s"
