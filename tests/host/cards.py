"""Draws the card of an example workflow: what it does, in few large words, with labelled pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SIZE = 480
"""Width and height of a card. README shows it 120 wide, so that a letter must be at least a twelfth of it."""
TITLE, LABEL, CAPTION = 48, 40, 32
GAP, CROSS = 8, 14
INK, PAPER, BAND, STOP = (30, 30, 30), (255, 255, 255), (28, 52, 92), (200, 30, 30)


@dataclass(frozen=True)
class Row:
    """Pictures side by side, one a column, and what they show."""

    pictures: Sequence[Image.Image]
    caption: str = ""
    stopped: Sequence[int] = ()
    """Columns whose picture is crossed out: the run is stopped before it."""


def card(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """A square picture: the title on a band, a label over each column, each row with its caption below.

    Raises:
        ValueError: a title, label or caption is too long for its place.
    """
    sheet = Image.new("RGB", (SIZE, SIZE), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = TITLE + 2 * GAP
    draw.rectangle((0, 0, SIZE, top), BAND)
    _words(draw, title, (0, SIZE), GAP, TITLE, PAPER)
    captions = sum(CAPTION + GAP for row in rows if row.caption)
    room = SIZE - top - LABEL - captions - 2 * GAP
    side = min(room // len(rows) - GAP, SIZE // len(columns) - 2 * GAP)
    top += (room - len(rows) * (side + GAP)) // 2 + GAP
    step = side + GAP
    left = (SIZE + GAP - len(columns) * step) // 2
    for index, label in enumerate(columns):
        _words(draw, label, (left + index * step, left + index * step + side), top, LABEL)
    top += LABEL + GAP
    for row in rows:
        for index, picture in enumerate(row.pictures):
            place = (left + index * step, top)
            sheet.paste(picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST), place)
            if index in row.stopped:
                _cross(draw, place, side)
        top += step
        if row.caption:
            _words(draw, row.caption, (0, SIZE), top - GAP // 2, CAPTION)
            top += CAPTION + GAP
    return sheet


def _words(
    draw: ImageDraw.ImageDraw,
    text: str,
    between: tuple[int, int],
    top: int,
    size: int,
    ink: tuple[int, int, int] = INK,
) -> None:
    """Centred words; the letters' own height is about three quarters of `size`."""
    font = ImageFont.load_default(size * 0.85)
    width = font.getlength(text)
    if width > between[1] - between[0]:
        raise ValueError(
            f"{text!r} is {width:.0f} wide, and there is room for {between[1] - between[0]}. Say it shorter."
        )
    draw.text(((between[0] + between[1] - width) / 2, top), text, ink, font)


def _cross(draw: ImageDraw.ImageDraw, place: tuple[int, int], side: int) -> None:
    x, y, far = place[0] + CROSS, place[1] + CROSS, side - 2 * CROSS
    for ends in (((x, y), (x + far, y + far)), ((x + far, y), (x, y + far))):
        draw.line(ends, STOP, CROSS)
