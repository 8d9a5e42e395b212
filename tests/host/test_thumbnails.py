"""Cards of examples: every example has one, its words have room, and its pictures stand where they are labelled."""

import pytest
from PIL import Image

from tests.host.cards import SIZE, STOP, Row, card
from tests.host.thumbnails import EXAMPLES, SCENES

RED, BLUE = (250, 0, 0), (0, 0, 250)


def test_every_example_has_a_card_of_its_own():
    cards = {path.stem: path.read_bytes() for path in EXAMPLES.glob("*.jpg")}
    assert set(cards) == set(SCENES) == {path.stem for path in EXAMPLES.glob("*.json")}
    assert len(set(cards.values())) == len(cards)


def plain(colour):
    return Image.new("RGB", (16, 16), colour)


@pytest.mark.parametrize("name", SCENES)
def test_the_words_of_a_card_have_room(name):
    scene = SCENES[name]
    rows = [Row([plain(RED)] * len(scene.columns), caption) for caption in scene.captions]
    assert (EXAMPLES / f"{name}.json").exists()
    assert len(scene.prompts) == len(scene.captions)
    assert card(scene.title, scene.columns, rows).size == (SIZE, SIZE)


def test_a_card_has_each_picture_under_its_label():
    sheet = card("Two", ("left", "right"), [Row([plain(RED), plain(BLUE)])])
    assert sheet.getpixel((SIZE // 4, SIZE // 2)) == RED
    assert sheet.getpixel((3 * SIZE // 4, SIZE // 2)) == BLUE
    crossed = card("Two", ("left", "right"), [Row([plain(RED), plain(BLUE)], stopped=[1])])
    assert STOP in {colour for _, colour in crossed.crop((SIZE // 2, 0, SIZE, SIZE)).getcolors(SIZE * SIZE) or ()}
    assert STOP not in {colour for _, colour in crossed.crop((0, 0, SIZE // 2, SIZE)).getcolors(SIZE * SIZE) or ()}


def test_words_without_room_are_refused():
    with pytest.raises(ValueError, match="Say it shorter"):
        card("A title that is much too long for a card", ("left",), [Row([plain(RED)])])
