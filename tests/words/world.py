"""The world of real words, in one place: names, pictures, sentences, and the words that training leaves out.

>>> from tests.words import world
>>> some = world.lessons(2, seed=0)
>>> world.render_all([lesson.scene for lesson in some], torch.Generator().manual_seed(0)).shape
torch.Size([2, 32, 32, 3])
"""

from .captions import HELD_OUT, PLACES, TRAINED, Chooser, Lesson, coloured, fill, lesson, lessons, painter
from .draw import SIZE, render_all
from .names import BACKGROUNDS, COLOURS, INDIVIDUALS, KINDS, OBJECTS, PAINTERS, PERSONS, STYLES, THINGS, Scene, named
from .relatives import (
    OTHER_PAINTERS,
    OTHER_THINGS,
    PAINTER_DESCRIPTIONS,
    PAINTER_SYNONYMS,
    RELATIVES,
    STRANGERS,
    Relatives,
    unlisted,
)

__all__ = [
    "BACKGROUNDS", "COLOURS", "HELD_OUT", "INDIVIDUALS", "KINDS", "OBJECTS", "OTHER_PAINTERS", "OTHER_THINGS",
    "PAINTERS", "PAINTER_DESCRIPTIONS", "PAINTER_SYNONYMS", "PERSONS", "PLACES", "RELATIVES", "SIZE", "STRANGERS",
    "STYLES", "THINGS", "TRAINED", "Chooser", "Lesson", "Relatives", "Scene", "coloured", "fill", "lesson", "lessons",
    "named", "painter", "render_all", "unlisted",
]  # fmt: skip
