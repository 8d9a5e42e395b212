"""Everyday prompts: what a model is usually asked for. Written for this pack; they name no artist, brand or person.

Every list is ordered so that a part of it from the front is as diverse as the whole: topics and registers alternate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import chain

from .kinds import KINDS, NAMED
from .number import other_number
from .texts import lines, sections

FIT_PROMPTS = lines("everyday/fit")
"""Prompts whose features weigh the size of an update."""
LONG_PROMPTS = lines("everyday/long")
"""The same of 30 to 45 words, for text encoders that read long prompts."""
PROBE_PROMPTS = lines("everyday/probes")
"""Prompts that are never solved on: drift is measured here."""
_LOCAL = {language: sections(f"everyday/{language}") for language in NAMED}


def local_prompts(languages: Iterable[str], part: str) -> tuple[str, ...]:
    """Everyday prompts in other languages, for models that read them: `solved on` or `unseen`."""
    return tuple(prompt for language in languages for prompt in _LOCAL.get(language, {}).get(part, ()))


@cache
def everyday_words() -> frozenset[str]:
    """Words of everyday prompts, of the sentences and of common names of every kind, in both numbers, in lower case."""
    of_kinds = ((*kind.templates, *kind.long_templates, *(() if kind.proper_names else kind.names)) for kind in KINDS)
    said = " ".join((*FIT_PROMPTS, *LONG_PROMPTS, *PROBE_PROMPTS, *chain(*of_kinds)))
    words = frozenset(re.findall("[a-z]+", said.lower()))
    return words | {other_number(word) for word in words}
