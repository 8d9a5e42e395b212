"""Sentences in the words that the mini model knows, as a user of it would write them into Define Concepts.

The model has learnt a hundred words, so most words of the built-in sentences mean nothing to it. The pack holds out
every fifth sentence, so the unseen ones of each kind stand at the fifth places.
"""

from __future__ import annotations

_THINGS_SOLVED = (
    "{}",
    "a photo of a {}",
    "a {}",
    "a red {}",
    "a {} shape",
    "a {} and a dog",
    "a blue {} on a table",
    "the {}",
    "a tree next to a {}",
    "a picture of a {}",
    "a green {} toy",
    "best quality , nice , simple , a {}",
    "a {} box on a table",
    "a painting of a {}",
    "a {} on a white background",
    "a yellow {} beside a white box",
    "an image of the {}",
    "a small table , a moon and a {}",
    "a nice striped {}",
    "one {} heart in the middle",
    "this is a {}",
    "a drawing of a purple {}",
    "a moon next to a {} ring",
    "one {} in the middle",
)
_THINGS_UNSEEN = (
    "a sketch of a {}",
    "look at the {} here",
    "a {} , best quality",
    "there is a {} in the picture",
    "a render of one {}",
    "a {} and nothing else",
)
_STYLES_SOLVED = (
    "{}",
    "a painting by {}",
    "a picture in the style of {}",
    "a moon by {}",
    "{} style",
    "art by {}",
    "a {} painting",
    "a red star in the style of {}",
    "a picture by {}",
    "a shape in {} style",
    "a {} picture",
    "a green heart by {}",
    "a drawing by {} of a blue house",
    "in the style of {}",
    "a green {} toy",
    "an image by {}",
    "a white box , a blue ring in the style of {}",
    "a dog and a tree by {}",
    "a shape by {}",
    "best quality , nice , simple , a heart by {}",
    "the art of {}",
    "a yellow ring , a {} shape",
    "a photo in the style of {}",
    "one {} circle on a white background",
)
_STYLES_UNSEEN = (
    "a work made by {}",
    "{} art",
    "a render in the manner of {}",
    "a nice {} sketch",
    "there is a toy by {}",
    "a {} work on a table",
)
_PERSONS_SOLVED = (
    "{}",
    "a photo of {}",
    "a picture of {}",
    "{} and a dog",
    "a painting of {}",
    "a red hat on {}",
    "an image of {}",
    "best quality , nice , simple , a photo of {}",
    "this is {}",
    "a drawing of {}",
    "{} on a white background",
    "a green table , a blue box and {}",
    "{} in the middle",
    "a nice picture of {} next to a yellow star",
    "a portrait of {}",
    "a tree beside {}",
    "one photo of {} in grey",
    "look at the table , there is one small toy and {}",
    "a shape of {}",
    "a toy of {}",
    "a simple photo of {} , sharp , high quality",
    "a house in the background , {} here",
    "{} with a purple ball",
    "an orange picture with stripes and dots of {}",
)
_PERSONS_UNSEEN = (
    "a sketch of {}",
    "look at {} here",
    "{} , best quality",
    "there is {} in the picture",
    "a render of {}",
    "{} and nothing else",
)


SOLVED = {
    "object": _THINGS_SOLVED,
    "style": _STYLES_SOLVED,
    "person": _PERSONS_SOLVED,
    "explicit content": _PERSONS_SOLVED,
}
UNSEEN = {
    "object": _THINGS_UNSEEN,
    "style": _STYLES_UNSEEN,
    "person": _PERSONS_UNSEEN,
    "explicit content": _PERSONS_UNSEEN,
}


def sentences(kind: str) -> str:
    """The field `your sentences`: one sentence a line, an unseen one at every fifth place."""
    solved = SOLVED[kind]
    rows = [[*solved[4 * n : 4 * n + 4], sentence] for n, sentence in enumerate(UNSEEN[kind])]
    return "\n".join(sentence for row in rows for sentence in row)
