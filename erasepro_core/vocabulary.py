"""The words of a tokenizer by what the model makes of them: which may be other names of a target, which are near it.

The cosine alone cannot tell a synonym from a related word: some words have many near ones, others none. So each word is
compared with its own surroundings, as cross-domain similarity local scaling does (arXiv 1710.04087): twice the cosine
of two words, less the mean cosine of each to its ten nearest. Above zero the two are nearer to each other than to
those, and may mean the same. What a thesaurus knows of an English word raises or lowers its score.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .align import content_positions, name_positions
from .compound import related_phrases
from .concept import Concept, Request
from .encoded import encode_prompts
from .mention import Mentions
from .neighbours import CANDIDATES
from .number import goes_on
from .path import TextPath
from .phrase import key
from .progress import Phase, Steps, Tick, ignore
from .spellings import in_languages
from .thesaurus import Relation, kinds_of, relations, synonyms

FOLLOWED = "a photo of a {}, a word that means"
"""For causal encoders. There the tokens of a name say what may follow it; what it means stands in those behind it."""
PART = 256
"""Words that are read at a time."""
WIDEST = 1024
"""Values that are kept of a token; those of a large model would take gigabytes for all words."""
NEAREST = 10
"""How many of the nearest words are a word's surroundings."""
LOOKED_AT = 80
"""How many words with the highest cosine are compared."""
SHOWN = 12
"""At most so many names of each sort are found."""
LEANING = {
    Relation.NAME: 0.35,
    Relation.SELDOM: 0.25,
    Relation.BROADER: 0.1,
    Relation.SIBLING: -0.03,
    Relation.ALIKE: -0.1,
    Relation.OTHER: -0.75,
    Relation.UNKNOWN: 0.0,
}
"""What is added to the score of a word."""
PLURALS = 100
"""How many words are tried with their plural, to find out whether a model knows words."""


@dataclass(frozen=True)
class Vocabulary:
    """Words, and their features in one model without what all of them share."""

    words: tuple[str, ...]
    directions: Tensor
    """`[words, d]`, each of length one; the cosine of two is their product."""
    means: tuple[Tensor, ...]
    """What all words share, by token that is looked at."""
    total: int
    """How many words there are; fewer were read where the time was up."""

    def directions_of(self, names: Sequence[str], path: TextPath) -> Tensor:
        """Where names stand among the words, `[names, d]`."""
        return _directions(_features(names, path), self.means)

    def places(self, names: Iterable[str]) -> list[int]:
        """The places of those names that are among the words."""
        known = {word: place for place, word in enumerate(self.words)}
        return [known[name] for name in names if name in known]

    def with_names(self, names: Sequence[str], path: TextPath) -> Vocabulary:
        """The same with further names behind the words."""
        known = set(map(key, self.words))
        new = [name for name in dict.fromkeys(names) if key(name) not in known]
        if not new:
            return self
        directions = torch.cat([self.directions, self.directions_of(new, path)])
        return replace(self, words=(*self.words, *new), directions=directions)

    @torch.no_grad()
    def surroundings(self, directions: Tensor) -> Tensor:
        """Mean cosine to the nearest words, `[n]`; a word is not near itself."""
        nearest = (directions @ self.directions.T).topk(min(NEAREST + 1, len(self.words))).values
        itself = nearest[:, :1] > 1 - 1e-5
        return torch.where(itself[:, 0], nearest[:, 1:].mean(1), nearest[:, :-1].mean(1))

    @torch.no_grad()
    def knows_words(self) -> bool:
        """Whether most words have their plural among the nearest: a model with random weights knows none."""
        places = {word: place for place, word in enumerate(self.words)}
        pairs = [(places[word], places[f"{word}s"]) for word in self.words if len(word) > 3 and f"{word}s" in places]
        if not pairs:
            return True
        singular, plural = torch.tensor(pairs[:PLURALS]).T
        cosines = self.directions[singular] @ self.directions.T
        of_plural = cosines.gather(1, plural[:, None].to(cosines.device))
        return bool(((cosines > of_plural).sum(1) <= NEAREST).float().mean() > 0.5)


@dataclass(frozen=True)
class Names:
    """What was found for one concept, each name with its score, the highest first."""

    target: str
    likely: tuple[tuple[str, float], ...]
    """May mean the same; the score is above zero."""
    near: tuple[tuple[str, float], ...]
    """Something else, but similar; the score is without what the thesaurus adds."""


@torch.no_grad()
def read_vocabulary(words: Sequence[str], path: TextPath, seconds: float, tick: Tick = ignore) -> Vocabulary:
    """Reads what a model makes of words, as many as the time allows.

    Args:
        words: the most useful ones first.
        seconds: when to stop.
        tick: called after every part; what it raises ends the work.
    """
    began, parts, count = time.monotonic(), [], Steps(-(-len(words) // PART), tick)
    for first in range(0, len(words), PART):
        parts.append(_features(words[first : first + PART], path))
        count(Phase.READING_WORDS)
        if time.monotonic() - began > seconds:
            break
    features = [torch.cat(of_input) for of_input in zip(*parts, strict=True)]
    means = tuple(each.mean(0) for each in features)
    read = words[: len(features[0])]
    return Vocabulary(tuple(read), _directions(features, means), means, len(words))


@torch.no_grad()
def find_names(request: Request, path: TextPath, vocabulary: Vocabulary, own: Sequence[str] = ()) -> tuple[Names, ...]:
    """Names of each concept that nobody listed, and names near it: words, names that its kind knows, and own ones.

    Args:
        own: further candidates, which may have several words.
    """
    request = in_languages(request, path)
    known = [each.kind.names_in(each.said_in)[:CANDIDATES] for each in request.concepts]
    around = {names: vocabulary.with_names(names, path) for names in dict.fromkeys(known)}
    words = {names: each.with_names(own, path) for names, each in around.items()}
    concepts = zip(request.concepts, known, strict=True)
    return tuple(_of_concept(each, request, path, around[names], words[names]) for each, names in concepts)


def _of_concept(concept: Concept, request: Request, path: TextPath, around: Vocabulary, words: Vocabulary) -> Names:
    """Names of one concept.

    Args:
        around: the words that surroundings are of.
        words: those that are compared, own candidates among them.
    """
    targets = words.directions_of(concept.said_once, path)
    cosines = targets @ words.directions.T
    nearest = cosines.amax(0).topk(min(LOOKED_AT, len(words.words))).indices.tolist()
    looked_at = list(dict.fromkeys((*nearest, *words.places(_in_thesaurus(concept)))))
    names = [words.words[place] for place in looked_at]
    candidates, cosines = words.directions[looked_at], cosines[:, looked_at]
    scores = (2 * cosines - around.surroundings(targets)[:, None] - around.surroundings(candidates)).amax(0)
    leaning = scores + torch.tensor(_leanings(concept, names)).to(scores)
    # What is nearer to something that shall stay means that: `vehicle` is a name of `car`, not of `red car`.
    stays = words.directions_of([concept.anchor, *related_phrases(concept), *request.preserves], path)
    means_target = (leaning > 0) & (cosines.amax(0) > (stays @ candidates.T).amax(0))
    others, taken = _others(concept), _taken(concept, request)
    found = sorted(
        zip(names, leaning.tolist(), scores.tolist(), means_target.tolist(), strict=True), key=lambda e: -e[1]
    )
    likely = [(name, score) for name, score, _, is_name in found if is_name and name not in others]
    near = [(name, score) for name, _, score, is_name in found if not is_name or name in others]
    near.sort(key=lambda each: -each[1])
    return Names(concept.names[0], _first(likely, taken), _first(near, taken))


def _first(ranked: Iterable[tuple[str, float]], taken: Callable[[str], bool]) -> tuple[tuple[str, float], ...]:
    """The first few that are not taken; no other is asked about, since a wide concept has thousands of kinds."""
    return tuple(islice((each for each in ranked if not taken(each[0])), SHOWN))


def _in_thesaurus(concept: Concept) -> list[str]:
    """Words for a concept and for its kinds; a proper name has none."""
    return [] if concept.kind.proper_names else [*synonyms(concept.said_once), *kinds_of(concept.said_once)]


def _leanings(concept: Concept, words: Sequence[str]) -> list[float]:
    """What the thesaurus adds to the score of words.

    A word that begins with a name and goes on means what stands at its end, unless it is a kind of that: a bookstore is
    a store. Of explicit content an adjective means what the noun does: there nothing is taken off.
    """
    if concept.kind.proper_names:
        return [0.0] * len(words)
    found = []
    for word, relation in zip(words, relations(concept.said_once, words), strict=True):
        means_it = relation in (Relation.NAME, Relation.SELDOM)
        longer = not means_it and any(goes_on(word, name) for name in concept.said_once)
        leaning = LEANING[Relation.OTHER if longer else relation]
        found.append(max(leaning, 0.0) if concept.kind.keeps_words_of_anchor_only else leaning)
    return found


def _others(concept: Concept) -> frozenset[str]:
    """Names of somebody else, however similar a model thinks them."""
    return frozenset(concept.kind.names if concept.kind.proper_names else ())


def _taken(concept: Concept, request: Request) -> Callable[[str], bool]:
    """Whether a word is named already, or is a part of what must stay.

    A word of a proper name may be said alone and mean the whole; a word of another name means something else.
    """
    known = {key(phrase) for phrase in request.phrases}
    whole = [*request.preserves, *(each.anchor for each in request.concepts)]
    if not concept.kind.proper_names:
        whole += [name for each in request.concepts for name in each.names]
    return lambda word: key(word) in known or any(map(Mentions([word]).within, whole))


def _features(names: Sequence[str], path: TextPath) -> list[Tensor]:
    """What a model makes of names, `[names, d]` for every token that is looked at, input by input."""
    causal = {i.name: all(e.causal for e in path.encoders if e.name == i.source) for i in path.inputs}
    prompts = {kind: [FOLLOWED.replace("{}", n) for n in names] if kind else list(names) for kind in causal.values()}
    encoded = encode_prompts(path, chain(*prompts.values()), padding=0)
    found: list[Tensor] = []
    for text_input in path.inputs:
        behind = causal[text_input.name]
        rows = [(prompt, encoded.rows[prompt][text_input.source]) for prompt in prompts[behind]]
        places = [(p, [name_positions(r)[-1], *([content_positions(r)[-1]] if behind else [])]) for p, r in rows]
        features = encoded.at(text_input, places).float()
        found += [narrowed(each).cpu() for each in features.unflatten(0, (len(names), -1)).unbind(1)]
    return found


def narrowed(features: Tensor) -> Tensor:
    """Features `[n, d]` of at most `WIDEST` values, mixed at random and always alike: cosines hardly change."""
    width = features.shape[1]
    return features if width <= WIDEST else features @ _mix(width).to(features)


@lru_cache(maxsize=4)
def _mix(width: int) -> Tensor:
    """`[width, WIDEST]` independent normal numbers."""
    return torch.randn(width, WIDEST, generator=torch.Generator().manual_seed(width)) / WIDEST**0.5


def _directions(features: Sequence[Tensor], means: Sequence[Tensor]) -> Tensor:
    """Features without what all share, of length one; every token counts alike."""
    parts = [normalize(each - mean, dim=1) for each, mean in zip(features, means, strict=True)]
    return torch.cat(parts, dim=1) / len(parts) ** 0.5
