"""The words that a CLIP's tokenizers have, and what a model makes of them, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...erasepro_core.path import TextPath
from ...erasepro_core.phrase import key
from ...erasepro_core.progress import Tick
from ...erasepro_core.vocabulary import Vocabulary, read_vocabulary

SHORTEST = 3
"""Letters of the shortest word that may be a name."""
MARKS = {"</w>": "end", "\u2581": "start", "\u0120": "start"}
"""What tokenizers write at one side of a token that is a whole word; BERT marks those that are none."""
NO_WORD = "##"
PROBE = "a small cat and an old house"
"""What it makes of this sentence tells one model from another."""


def whole_words(tokenizer: Any) -> list[str]:
    """The words of one of the host's tokenizers that are a token each, the commonest first.

    The numbers of tokens follow how common they were in the texts that the tokenizer was made from.
    """
    tokens = [tokenizer.inv_vocab[number] for number in sorted(tokenizer.inv_vocab)]
    tokens = [token for token in tokens if isinstance(token, str)]
    counts = {mark: sum(mark in token for token in tokens) for mark in MARKS}
    mark = max(counts, key=lambda each: counts[each])
    if counts[mark] > len(tokens) / 20:
        at_end = MARKS[mark] == "end"
        parts = [token.partition(mark) for token in tokens if (token.endswith if at_end else token.startswith)(mark)]
        words = [before if at_end else behind for before, _, behind in parts]
    else:
        words = [token for token in tokens if not token.startswith(NO_WORD)]
    # A byte of another script looks like an odd letter in such a tokenizer, so only plain letters are taken.
    plain = [word for word in words if len(word) >= SHORTEST and word.isascii() and word.isalpha()]
    spellings: dict[str, str] = {}
    for word in plain:
        if word.islower() or key(word) not in spellings:
            spellings[key(word)] = word
    return list(spellings.values())


@dataclass(frozen=True)
class _Read:
    """A vocabulary, of which model it is, and how long reading was allowed to take."""

    fingerprint: str
    seconds: float
    vocabulary: Vocabulary


_last: list[_Read] = []
"""The one that was read last: reading takes minutes on a CPU, and most people work with one model at a time."""


def vocabulary_of(path: TextPath, words: Sequence[str], seconds: float, tick: Tick) -> Vocabulary:
    """What a model makes of words; read again only if the model is another, or if more time may bring more words."""
    fingerprint = _fingerprint(path, words)
    for read in _last:
        whole = len(read.vocabulary.words) == read.vocabulary.total
        if read.fingerprint == fingerprint and (whole or seconds <= read.seconds):
            return read.vocabulary
    read = _Read(fingerprint, seconds, read_vocabulary(words, path, seconds, tick))
    _last[:] = [read]
    return read.vocabulary


def _fingerprint(path: TextPath, words: Sequence[str]) -> str:
    features = path.encode(path.tokenize([PROBE]), padding=[0])
    found = hashlib.sha256("\n".join(words).encode())
    for name in sorted(features):
        found.update(features[name].cpu().numpy().tobytes())
    return found.hexdigest()
