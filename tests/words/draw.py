"""Scenes -> pictures: 32 x 32 RGB, drawn on a finer canvas and averaged down, many at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .icons import ICONS, Paint
from .names import OBJECTS, STYLES, Scene

SIZE = 32
FINE = 2
"""Fine pixels to a pixel, each way."""

FILL = torch.tensor(
    [
        [0.86, 0.08, 0.10],
        [0.08, 0.70, 0.18],
        [0.10, 0.28, 0.92],
        [0.98, 0.88, 0.10],
        [0.55, 0.12, 0.72],
        [0.98, 0.50, 0.05],
    ]
)
WHITE, NIGHT, SKY = (0.98, 0.98, 0.98), (0.06, 0.07, 0.26), (0.70, 0.88, 0.98)
GRASS, SEA, SAND = (0.50, 0.72, 0.38), (0.25, 0.62, 0.75), (0.93, 0.84, 0.62)
INK = torch.tensor([0.05, 0.05, 0.08]).view(3, 1, 1)


def _grid() -> tuple[Tensor, Tensor]:
    side = SIZE * FINE
    steps = (torch.arange(side) + 0.5) / side * 2 - 1
    return steps.expand(side, side), steps[:, None].expand(side, side)


def _lots(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """`[N, 1, 1]` uniform between the two."""
    return low + (high - low) * torch.rand(count, 1, 1, generator=generator)


def _colour(paint: Paint, fills: Tensor) -> Tensor:
    """`[N, 3, 1, 1]` or `[3, 1, 1]`."""
    if isinstance(paint, tuple):
        return torch.tensor(paint).view(3, 1, 1)
    return (fills * (1.0 if paint == "fill" else 0.6))[:, :, None, None]


def _ground(background: int) -> Tensor:
    """`[3, H, W]`: white, a night with stars, grass under a sky, or sand under sea and sky."""
    x, y = _grid()
    colour = {0: WHITE, 1: NIGHT}.get(background, SKY)
    picture = torch.tensor(colour).view(3, 1, 1).expand(3, *x.shape).clone()
    if background == 1:
        for cx, cy in ((-0.85, -0.8), (0.8, -0.9), (0.9, 0.1), (-0.9, 0.35), (0.45, 0.92), (-0.4, -0.93)):
            picture[:, (x - cx) ** 2 + (y - cy) ** 2 < 0.05**2] = 1.0
    if background == 2:
        picture[:, y > 0.25] = torch.tensor(GRASS)[:, None]
    if background == 3:
        picture[:, y > -0.1] = torch.tensor(SEA)[:, None]
        picture[:, y > 0.3] = torch.tensor(SAND)[:, None]
    return picture


GROUNDS = torch.stack([_ground(background) for background in range(4)])


def _icons(scenes: Sequence[Scene], name: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures `[N, 3, H, W]` of one object on their grounds, and where it stands `[N, 1, H, W]`."""
    count = len(scenes)
    size = _lots(0.70, 0.80, count, generator)
    x, y = ((axis - _lots(-0.09, 0.09, count, generator)) / size for axis in _grid())
    fills = FILL[[scene.colour for scene in scenes]] * (0.94 + 0.06 * torch.rand(count, 1, generator=generator))
    picture = GROUNDS[[scene.background for scene in scenes]]
    whole = torch.zeros(count, 1, *GROUNDS.shape[2:], dtype=torch.bool)
    for mask, paint in ICONS[name](x, y):
        picture = torch.where(mask[:, None], _colour(paint, fills), picture)
        whole |= mask[:, None]
    return picture, whole


def _shade(style: str) -> Tensor:
    """Where a pattern darkens (1) the canvas, `[H, W]`."""
    x, y = ((axis + 1) * SIZE / 2 for axis in _grid())
    if style == "stripes":
        return ((y / 2).floor() % 2).float()
    if style == "checks":
        return (((x / 4).floor() + (y / 4).floor()) % 2).float()
    if style == "dots":
        return ((x % 4 - 2) ** 2 + (y % 4 - 2) ** 2 < 1.35**2).float()
    radius = ((x - 16) ** 2 + (y - 16) ** 2).sqrt()
    turn = torch.atan2(y - 16, x - 16) / (2 * math.pi)
    return ((radius / 5 + turn) % 1 < 0.5).float()


def _styled(picture: Tensor, whole: Tensor, style: str) -> Tensor:
    """`[N, 3, H, W]` drawn in one way."""
    if style in ("dots", "stripes", "checks", "swirls"):
        light = picture.mean(1, keepdim=True) > 0.35
        inked = torch.where(light, picture * 0.5, picture * 0.5 + 0.3)
        return torch.lerp(picture, inked, _shade(style))
    if style == "pale":
        soft = functional.avg_pool2d(picture, (2 * FINE + 1, 1), 1, (FINE, 0), count_include_pad=False)
        soft = functional.avg_pool2d(soft, (1, 2 * FINE + 1), 1, (0, FINE), count_include_pad=False)
        return torch.lerp(soft, torch.ones(()), 0.5)
    if style == "outlines":
        grown = functional.max_pool2d(whole.float(), (4 * FINE + 1, 1), 1, (2 * FINE, 0))
        grown = functional.max_pool2d(grown, (1, 4 * FINE + 1), 1, (0, 2 * FINE))
        return torch.where((grown > 0) & ~whole, INK, picture)
    if style == "dark":
        x, y = _grid()
        veil = ((x * x + y * y).sqrt() * 1.25 - 0.35).clamp(0, 0.92)
        return torch.lerp(picture, torch.tensor([0.22, 0.10, 0.02]).view(3, 1, 1), veil)
    return picture


def render_all(scenes: Sequence[Scene], generator: torch.Generator) -> Tensor:
    """`[N, 32, 32, 3]` in 0..1, one picture a scene. Place, size and paint vary a little with the generator."""
    done = torch.empty(len(scenes), 3, SIZE, SIZE)
    for name in dict.fromkeys(OBJECTS[scene.object] for scene in scenes):
        mine = [index for index, scene in enumerate(scenes) if OBJECTS[scene.object] == name]
        for first in range(0, len(mine), 64):
            part = mine[first : first + 64]
            done[part] = _finished([scenes[index] for index in part], name, generator)
    return done.permute(0, 2, 3, 1)


def _finished(scenes: Sequence[Scene], name: str, generator: torch.Generator) -> Tensor:
    """`[N, 3, 32, 32]` of one object in every style that is asked for."""
    picture, whole = _icons(scenes, name, generator)
    for style in {scene.style for scene in scenes}:
        mine = [index for index, scene in enumerate(scenes) if scene.style == style]
        picture[mine] = _styled(picture[mine], whole[mine], STYLES[style])
    return functional.avg_pool2d(picture, FINE).clamp(0, 1)
