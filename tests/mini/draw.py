"""Scene -> picture: 16x16 RGB, drawn on a finer canvas and averaged down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .names import OBJECTS, Scene

SIZE = 16
FINE = 4
"""Fine pixels to a pixel, each way."""

PAINT = torch.tensor(
    [
        [0.88, 0.03, 0.10],
        [0.08, 0.75, 0.15],
        [0.10, 0.25, 0.95],
        [1.0, 0.95, 0.10],
        [0.55, 0.12, 0.75],
        [1.0, 0.50, 0.0],
    ]
)
CANVAS = torch.tensor([0.0, 1.0, 0.5])
SKIN = {
    "robot": (0.8, 0.65, 0.5),
    "bare robot": (0.8, 0.65, 0.5),
    "Ada": (0.1, 0.85, 0.85),
    "Bolt": (1.0, 0.5, 0.8),
    "Cleo": (0.45, 0.25, 0.1),
}


def _disc(x: Tensor, y: Tensor, radius: float = 1.0) -> Tensor:
    return x * x + y * y < radius * radius


def _box(x: Tensor, y: Tensor, left: float, right: float, top: float, bottom: float) -> Tensor:
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def _taper(x: Tensor, y: Tensor, top: float, bottom: float, narrow: float, wide: float) -> Tensor:
    """A trapezoid: half-width ``narrow`` at ``top``, ``wide`` at ``bottom``."""
    half = narrow + (wide - narrow) * (y - top) / (bottom - top)
    return (y > top) & (y < bottom) & (x.abs() < half)


def _star(x: Tensor, y: Tensor, inner: float = 0.45) -> Tensor:
    """Five points, the first upward: fold the plane into one tenth and test one edge."""
    tenth = math.pi / 5
    angle = torch.atan2(x, -y)
    folded = (torch.remainder(angle + tenth, 2 * tenth) - tenth).abs()
    radius = torch.sqrt(x * x + y * y)
    px, py = radius * folded.cos() - 1, radius * folded.sin()
    qx, qy = inner * math.cos(tenth) - 1, inner * math.sin(tenth)
    return qx * py - qy * px > 0


def _heart(x: Tensor, y: Tensor) -> Tensor:
    x, y = 1.2 * x, 0.12 - 1.2 * y
    return (x * x + y * y - 1) ** 3 - x * x * y**3 < 0


def _bare(x: Tensor, y: Tensor) -> Tensor:
    torso = _box(x, y, -0.26, 0.26, -0.4, 0.45)
    arms = _box(x, y, -0.95, 0.95, -0.32, 0.04)
    legs = _box(x.abs(), y, 0.12, 0.5, 0.4, 1.0)
    return torso | arms | legs


def _bolt(x: Tensor, y: Tensor) -> Tensor:
    return _box(x, y, -0.62, 0.62, -0.2, 0.95) | _box(x.abs(), y, 0.5, 0.98, -1.0, 0.15)


BODY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "circle": _disc,
    "square": lambda x, y: _box(x, y, -0.86, 0.86, -0.86, 0.86),
    "triangle": lambda x, y: _taper(x, y, -1.0, 0.85, 0.0, 1.05),
    "cross": lambda x, y: _box(x, y, -0.34, 0.34, -1, 1) | _box(x, y, -1, 1, -0.34, 0.34),
    "ring": lambda x, y: _disc(x, y) & ~_disc(x, y, 0.52),
    "heart": _heart,
    "moon": lambda x, y: _disc(x, y) & ~_disc(x - 0.55, y, 0.8),
    "star": lambda x, y: _star(x / 1.1, y / 1.1),
    "robot": lambda x, y: _taper(x, y, -0.4, 0.95, 0.45, 0.85),
    "bare robot": _bare,
    "Ada": lambda x, y: _box(x, y, -0.45, 0.45, -0.1, 1.0) | _taper(x, y, -1.1, -0.5, 0.0, 0.62),
    "Bolt": _bolt,
    "Cleo": lambda x, y: _taper(x, y, -0.3, 0.9, 0.12, 1.05),
}
HEAD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "robot": lambda x, y: _box(x, y, -0.34, 0.34, -1.0, -0.4),
    "bare robot": lambda x, y: _box(x, y, -0.34, 0.34, -1.0, -0.4),
    "Ada": lambda x, y: _box(x, y, -0.34, 0.34, -0.5, -0.1),
    "Bolt": lambda x, y: _box(x, y, -0.34, 0.34, -0.85, -0.2),
    "Cleo": lambda x, y: _disc(x, y + 0.55, 0.36) | _disc(x.abs() - 0.58, y + 0.75, 0.3),
}


def _grid() -> tuple[Tensor, Tensor]:
    side = SIZE * FINE
    steps = (torch.arange(side) + 0.5) / side * 2 - 1
    return steps.expand(side, side), steps[:, None].expand(side, side)


def _shade(style: int) -> Tensor:
    """Where a style darkens (1) the canvas, `[64, 64]`; plain and glowing pictures nowhere."""
    x, y = ((axis + 1) * SIZE / 2 for axis in _grid())
    row, column = (y / 2).floor() % 2, (x / 2).floor() % 2
    if style == 1:
        return row
    if style == 2:
        return (row + column) % 2
    if style == 3:
        return _disc((x % 4) - 2, (y % 4) - 2, 1.3).float()
    return torch.zeros_like(x)


def _soften(mask: Tensor) -> Tensor:
    """Blur `[64, 64]` by about two pixels, three boxes in a row."""
    out = mask[None, None]
    for _ in range(3):
        out = functional.avg_pool2d(out, 11, stride=1, padding=5, count_include_pad=False)
    return out[0, 0]


def _place(scene: Scene, generator: torch.Generator) -> list[tuple[int, int, float, float, float]]:
    """(object, colour, centre x, centre y, radius) of everything in the picture, a little different each time."""
    wobble = (torch.rand(3, generator=generator) * 2 - 1).tolist()
    if scene.second is None:
        return [(scene.object, scene.colour, 0.05 * wobble[0], 0.05 * wobble[1], 0.84 + 0.05 * wobble[2])]
    y, radius = 0.2 * wobble[1], 0.44 + 0.02 * wobble[2]
    return [(scene.object, scene.colour, -0.5, y, radius), (*scene.second, 0.5, -y, radius)]


def _paint(picture: Tensor, mask: Tensor, colour: Tensor) -> Tensor:
    return torch.where(mask[..., None].bool(), colour, picture)


def render(scene: Scene, generator: torch.Generator) -> Tensor:
    """One picture `[16, 16, 3]` in 0..1. Place, size and paint vary a little with the generator."""
    shade = _shade(scene.style)[..., None]
    ground = CANVAS[scene.background]
    ink = 0.22 if scene.background == 0 else -0.22
    picture = (ground + ink * shade).expand(-1, -1, 3)
    for index, colour, cx, cy, radius in _place(scene, generator):
        x, y = ((axis - centre) / radius for axis, centre in zip(_grid(), (cx, cy), strict=True))
        name = OBJECTS[index]
        paint = PAINT[colour] * (0.94 + 0.06 * torch.rand(1, generator=generator))
        picture = _draw_object(picture, name, x, y, paint, shade, glow=scene.style == 4)
    fine = picture.permute(2, 0, 1)[None]
    return functional.avg_pool2d(fine, FINE)[0].permute(1, 2, 0).clamp(0, 1)


def _draw_object(
    picture: Tensor, name: str, x: Tensor, y: Tensor, paint: Tensor, shade: Tensor, *, glow: bool
) -> Tensor:
    body = BODY[name](x, y)
    fill = paint * (1 - 0.72 * shade)
    if glow:
        halo = _soften(body.float())[..., None]
        picture = torch.lerp(picture, paint, (1.3 * halo).clamp(0, 0.45))
        fill = torch.lerp(paint, torch.ones(3), (1.5 * halo - 0.5).clamp(0, 0.25))
    picture = _paint(picture, body, fill)
    if name in HEAD:
        picture = _paint(picture, HEAD[name](x, y), torch.tensor(SKIN[name]))
    return picture


def render_all(scenes: Sequence[Scene], generator: torch.Generator) -> Tensor:
    """`[N, 16, 16, 3]` in 0..1, one picture a scene."""
    return torch.stack([render(scene, generator) for scene in scenes])
