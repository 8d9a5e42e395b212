"""How often a plural that nobody listed still draws its thing, for every object of the mini world that has one.

`python -m benchmarks.plurals [--count 48]` solves `name -> another object` with the default options, once as they are
and once without forms, and draws "a photo of circles", "red circles" and the like before and after.
"""

from __future__ import annotations

import argparse

from tests import pack

pack.comfy_on_cpu()

from benchmarks.quality import erase  # noqa: E402
from erasepro_core import Options  # noqa: E402
from tests.mini import classifier, model, world  # noqa: E402
from tests.mini.erased import Subject  # noqa: E402
from tests.mini.request import mini_request  # noqa: E402
from tests.mini.sample import sample  # noqa: E402
from tests.mini.tasks import everyday  # noqa: E402

SENTENCES = ("a photo of {}", "{}", "a picture of {} on a table", "two {}", "red {}", "{} by Hokusai")
SEED = 8000


def shown(subject: Subject, word: str, thing: str, count: int) -> float:
    """Share of pictures of a word that show the thing."""
    prompts = [SENTENCES[i % len(SENTENCES)].format(word) for i in range(count)]
    images = sample(subject.model, subject.clip, subject.vae, prompts, seed=SEED, steps=10)
    return float((classifier.classify(images)["object"] == world.OBJECTS.index(thing)).float().mean())


def main() -> None:
    """Command line: a row for each object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=48, help="pictures a cell")
    count = parser.parse_args().count
    subject, prompts = Subject(*model.load()), "\n".join(everyday())
    names = [name for name in world.OBJECTS if name in world.PLURALS]
    print("| erased | plural, original | without forms | erased | becomes the anchor | name, erased | other plurals |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for position, name in enumerate(names):
        plural, anchor = world.PLURALS[name], names[(position + 1) % len(names)]
        request = mini_request(f"{name} -> {anchor}", "object", everyday=prompts)
        erased, without = (erase(subject, request, Options.named(forms=forms))[0] for forms in (True, False))
        others = [other for other in names if other not in (name, anchor)][:4]
        cells = (
            shown(subject, plural, name, count),
            shown(without, plural, name, count),
            shown(erased, plural, name, count),
            shown(erased, plural, anchor, count),
            shown(erased, name, name, count),
            sum(shown(erased, world.PLURALS[other], other, count // 4) for other in others) / len(others),
        )
        print(f"| `{name} -> {anchor}` | " + " | ".join(f"{cell:.0%}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
