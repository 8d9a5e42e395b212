"""Pictures before and after an erasure as one labelled grid. Pillow draws the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

LEAST = 160
"""A picture that is narrower is enlarged by whole pixels, so that there is room for words."""
GAP = 6
INK, PAPER, GOOD, BAD = (30, 30, 30), (255, 255, 255), (20, 110, 50), (180, 30, 30)


@dataclass(frozen=True)
class Band:
    """What one prompt gave."""

    prompt: str
    before: Sequence[Tensor]
    """One picture a seed, `[height, width, 3]`, 0 to 1."""
    after: Sequence[Tensor]
    """The same seeds in the erased model."""
    verdict: str = ""
    """What the audit says of the prompt; empty if there was none."""
    erased: bool = True
    """Whether the verdict is good news."""


def grid_picture(bands: Sequence[Band], seeds: Sequence[int]) -> Tensor:
    """One row of pictures before and one after for each prompt, its words below: `[1, height, width, 3]`, 0 to 1.

    Args:
        bands: one a prompt; all pictures have one size.
        seeds: one a column.
    """
    height, width = bands[0].before[0].shape[:2]
    scale = -(-LEAST // width)
    height, width = height * scale, width * scale
    letters = max(13, width // 24)
    font, line = ImageFont.load_default(letters), round(letters * 1.5)
    side = round(font.getlength("before")) + 2 * GAP
    total = side + len(seeds) * (width + GAP)
    texts = [_wrapped(font, f"{band.prompt or '(no words)'}", total - 2 * GAP) for band in bands]
    words = [_wrapped(font, band.verdict, total - 2 * GAP) if band.verdict else [] for band in bands]
    tall = [2 * (height + GAP) + line * (len(t) + len(w)) + 2 * GAP for t, w in zip(texts, words, strict=True)]
    sheet = Image.new("RGB", (total, line + GAP + sum(tall)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, seed in enumerate(seeds):
        draw.text((side + column * (width + GAP), GAP), f"seed {seed}", INK, font)
    top = line + GAP
    for band, text, verdict, high in zip(bands, texts, words, tall, strict=True):
        for row, (label, pictures) in enumerate((("before", band.before), ("after", band.after))):
            y = top + row * (height + GAP)
            draw.text((GAP, y + height // 2 - line // 2), label, INK, font)
            for column, picture in enumerate(pictures):
                sheet.paste(_image(picture, scale), (side + column * (width + GAP), y))
        y = top + 2 * (height + GAP)
        colours = [INK] * len(text) + [GOOD if band.erased else BAD] * len(verdict)
        for number, (words_, colour) in enumerate(zip([*text, *verdict], colours, strict=True)):
            draw.text((GAP, y + number * line), words_, colour, font)
        top += high
    pixels = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8)
    return pixels.reshape(1, sheet.height, sheet.width, 3).float() / 255


def _image(picture: Tensor, scale: int) -> Image.Image:
    pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).contiguous().cpu()
    image = Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), bytes(pixels.flatten().tolist()))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _wrapped(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str, width: int) -> list[str]:
    """Lines that are no wider than `width`; a single word may be."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
