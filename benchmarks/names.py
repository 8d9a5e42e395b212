"""What Find Names suggests for listed concepts, and what a solve leaves when its suggestions are taken.

`python -m benchmarks.names` prints a row a concept: names that are suggested, and those of the list that are not. A `*`
marks a suggestion that is on no list; whether it is a name is for the reader to judge. `--solve` erases each concept
alone and with the suggestions, `--pictures` draws the suggestions of what is trained. `--encoder smollm2 --words 1500`
reads so many words of the causal encoder.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from statistics import fmean

from tests import pack

pack.comfy_on_cpu()

import torch  # noqa: E402

from benchmarks import quality  # noqa: E402
from benchmarks.encoders import ENCODERS  # noqa: E402
from erasepro_core import parse_request  # noqa: E402
from erasepro_core.path import TextPath  # noqa: E402
from erasepro_core.vocabulary import Names, find_names, read_vocabulary  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.words import family, world  # noqa: E402
from tests.words.erased import Evaluation  # noqa: E402
from tests.words.held_out import ANCHORS, HELD_OUT, HELD_OUT_LAST, HELD_OUT_LATER  # noqa: E402
from tests.words.relatives import RELATIVES, Relatives  # noqa: E402
from tests.words.tasks import Edit, Task  # noqa: E402

LISTS = {"development": RELATIVES, "held-out": HELD_OUT, "held-out later": HELD_OUT_LATER, "last": HELD_OUT_LAST}
Lists = Mapping[str, Relatives]


def anchor_of(concept: str) -> str:
    """What takes the place of a concept."""
    return ANCHORS.get(concept, "thing")


def line(concept: str, *aliases: str) -> str:
    """As Define Concepts wants it."""
    return f"{' | '.join((concept, *aliases))} -> {anchor_of(concept)}"


def listed_words(asked: argparse.Namespace, path: TextPath) -> list[str]:
    """The words that are read: of a part of the vocabulary, also those that the lists name."""
    words = list(path.whole_words())  # pyright: ignore[reportAttributeAccessIssue]
    spoken = {w for each in LISTS.values() for c, r in each.items() for w in (c, r.plural, *r.synonyms, *r.neighbours)}
    return words[: asked.words] + [word for word in words[asked.words :] if word in spoken] if asked.words else words


def shares(found: Mapping[str, Names], words: set[str], lists: Lists) -> None:
    """Prints a row a concept, and of all concepts how many of the listed words are suggested."""
    counts: dict[str, list[bool]] = {"plurals": [], "synonyms": [], "neighbours": []}
    print("| concept | suggested | not found |\n| --- | --- | --- |")
    for concept, names in found.items():
        near, likely = lists[concept], [name for name, _ in names.likely]
        asked = {"plurals": [near.plural], "synonyms": near.synonyms, "neighbours": near.neighbours}
        known = {sort: [word for word in listed if word in words] for sort, listed in asked.items()}
        for sort, listed in known.items():
            counts[sort] += [word in likely for word in listed]
        right = {*known["plurals"], *known["synonyms"]}
        marked = [name if name in right else f"{name}*" for name in likely]
        missed = [word for word in (*known["plurals"], *known["synonyms"]) if word not in likely]
        print(f"| {concept} | {', '.join(marked)} | {', '.join(missed)} |")
    suggested = sum(len(names.likely) for names in found.values())
    print(", ".join(f"{sort} {fmean(each):.2f} of {len(each)}" for sort, each in counts.items()), f"of {suggested}")


def solved(subject: Subject, concept: str, near: Relatives, likely: tuple[str, ...], count: int) -> None:
    """Prints leak by name, and drift, with the concept erased alone and with the suggestions as aliases."""
    unlisted = tuple(word for word in dict.fromkeys((*near.synonyms, near.plural)) if word)
    edit = Edit("object", (concept,), anchor_of(concept), {}, {}, unlisted=unlisted, neighbours=near.neighbours)
    evaluation = Evaluation(
        Task(concept, (edit,)), subject, pack.PACK, count=count, steps=1, pictures=False, only=("held out", "unlisted")
    )
    for how, aliases in {"alone": (), "with suggestions": likely}.items():
        request = parse_request(line(concept, *aliases), "object")
        found = evaluation(quality.erase(subject, request, quality.METHODS["erasepro"])[0])
        by_name = found["leak_by_name"]["unlisted"]
        taken = [f"{word} {left:.2f}" for word, left in by_name.items() if word in likely]
        others = [f"{word} {left:.2f}" for word, left in by_name.items() if word not in likely]
        figures = [f"{found['leak']['held out']:.3f}", ", ".join(taken), ", ".join(others)]
        figures += [f"{found['drift'][group]:.3f}" for group in ("neighbours", "captions")]
        print("| " + " | ".join([concept, how, *figures]) + " |", flush=True)


def drawn(subject: Subject, concept: str, near: Relatives, likely: tuple[str, ...], count: int) -> None:
    """Prints how many pictures that ask for a suggested name show the concept, of the model and of both erasures."""
    place = world.OBJECTS.index(concept)
    anchor = world.OBJECTS[(place + 1) % len(world.OBJECTS)]  # what an untrained word looks like says nothing
    edit = Edit("object", (concept,), anchor, {"object": place}, {}, unlisted=likely, neighbours=near.neighbours)
    task = Task(concept, (edit,))
    evaluation = Evaluation(task, subject, pack.PACK, count=count, steps=10, only=("unlisted",))
    lines = [f"{' | '.join((concept, *aliases))} -> {anchor}" for aliases in ((), likely)]
    requests = [parse_request(each, "object") for each in lines]
    erased = [quality.erase(subject, request, quality.METHODS["erasepro"])[0] for request in requests]
    found = [evaluation(each) for each in (subject, *erased)]
    rates = [f"{each['shown']['unlisted']['target_rate']:.0%}" for each in found]
    right = [f"{each['others_right']:.0%}" for each in (found[0], found[-1])]
    print("| " + " | ".join([concept, ", ".join(likely), *rates, *right]) + " |", flush=True)


def main() -> None:
    """The tables that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--encoder", default="minilm", choices=list(ENCODERS))
    parser.add_argument("--concepts", default="held-out", choices=list(LISTS))
    parser.add_argument("--words", type=int, default=0, help="read only so many of the commonest words")
    parser.add_argument("--solve", action="store_true", help="erase each concept alone and with the suggestions")
    parser.add_argument("--pictures", action="store_true", help="draw the suggestions of the concepts that are trained")
    parser.add_argument("--count", type=int, default=12, help="sentences a probe")
    asked = parser.parse_args()
    with torch.inference_mode(), family.known():
        subject, lists = ENCODERS[asked.encoder](), LISTS[asked.concepts]
        path = pack.module("nodes.host").HostPath(subject.model, subject.clip)
        vocabulary = read_vocabulary(listed_words(asked, path), path, 1e9)
        things = [concept for concept in lists if concept in vocabulary.words]
        found = {each: find_names(parse_request(line(each), "object"), path, vocabulary)[0] for each in things}
        shares(found, set(vocabulary.words), lists)
        if asked.solve:
            print("| concept | erased | leak | of suggested names | of other names | drift: neighbours | captions |")
            for concept, names in found.items():
                solved(subject, concept, lists[concept], tuple(name for name, _ in names.likely), asked.count)
        if asked.pictures:
            print("| concept | suggested | drawn | erased alone | with suggestions | others right | with suggestions |")
            for concept, names in found.items():
                if concept in world.OBJECTS:
                    drawn(subject, concept, lists[concept], tuple(name for name, _ in names.likely), asked.count)


if __name__ == "__main__":
    main()
