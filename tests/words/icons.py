"""What each object looks like: masks on the square -1..1, painted one over the other.

x grows to the right, y downwards. A paint is "fill" (the colour that the sentence names), "shade" (the same,
darker) or a fixed colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Paint = str | tuple[float, float, float]
Layers = list[tuple[Tensor, Paint]]

INK = (0.08, 0.08, 0.1)
LIGHT = (0.93, 0.93, 0.88)
METAL = (0.55, 0.58, 0.62)
WOOD = (0.42, 0.26, 0.12)
SKIN = (0.87, 0.67, 0.52)


def disc(x: Tensor, y: Tensor, cx: float, cy: float, rx: float, ry: float | None = None) -> Tensor:
    return ((x - cx) / rx) ** 2 + ((y - cy) / (ry or rx)) ** 2 < 1


def box(x: Tensor, y: Tensor, left: float, right: float, top: float, bottom: float) -> Tensor:
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def taper(x: Tensor, y: Tensor, top: float, bottom: float, narrow: float, wide: float, centre: float = 0.0) -> Tensor:
    """A trapezoid: half-width ``narrow`` at ``top``, ``wide`` at ``bottom``."""
    half = narrow + (wide - narrow) * (y - top) / (bottom - top)
    return (y > top) & (y < bottom) & ((x - centre).abs() < half)


def line(x: Tensor, y: Tensor, x1: float, y1: float, x2: float, y2: float, width: float) -> Tensor:
    """A stroke with round ends, ``width`` to either side."""
    dx, dy = x2 - x1, y2 - y1
    along = (((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return (x - x1 - along * dx) ** 2 + (y - y1 - along * dy) ** 2 < width * width


def ring(x: Tensor, y: Tensor, cx: float, cy: float, outer: float, inner: float) -> Tensor:
    return disc(x, y, cx, cy, outer) & ~disc(x, y, cx, cy, inner)


def cat(x: Tensor, y: Tensor) -> Layers:
    ears = taper(x.abs(), y, -1.0, -0.4, 0.0, 0.28, 0.36)
    head, body = disc(x, y, 0, -0.3, 0.58, 0.48), disc(x, y, 0, 0.55, 0.44, 0.5)
    tail = line(x, y, 0.3, 0.85, 0.85, 0.75, 0.1) | line(x, y, 0.85, 0.75, 0.85, 0.2, 0.1)
    whiskers = line(x.abs(), y, 0.3, -0.12, 0.85, -0.2, 0.035)
    eyes = disc(x.abs(), y, 0.24, -0.36, 0.11)
    return [(tail, "shade"), (body, "fill"), (ears | head, "fill"), (whiskers | eyes, INK)]


def dog(x: Tensor, y: Tensor) -> Layers:
    body = box(x, y, -0.75, 0.4, -0.05, 0.45)
    legs = box(x, y, -0.75, -0.5, 0.3, 0.95) | box(x, y, 0.15, 0.4, 0.3, 0.95)
    head = disc(x, y, 0.45, -0.4, 0.4, 0.36) | box(x, y, 0.5, 1.0, -0.42, -0.1)
    tail = line(x, y, -0.7, 0.0, -0.95, -0.5, 0.1)
    ear = disc(x, y, 0.2, -0.3, 0.17, 0.38)
    return [(body | legs | head | tail, "fill"), (ear, INK), (disc(x, y, 0.95, -0.36, 0.12), INK)]


def horse(x: Tensor, y: Tensor) -> Layers:
    body = disc(x, y, -0.15, 0.1, 0.6, 0.3)
    legs = box(x, y, -0.65, -0.47, 0.1, 1.0) | box(x, y, -0.35, -0.2, 0.2, 1.0) | box(x, y, 0.2, 0.38, 0.1, 1.0)
    neck = line(x, y, 0.3, 0.0, 0.6, -0.7, 0.17) | line(x, y, 0.6, -0.72, 0.9, -0.42, 0.14)
    mane = line(x, y, 0.12, -0.2, 0.5, -0.95, 0.1) | line(x, y, -0.72, 0.05, -0.9, 0.6, 0.1)
    return [(body | legs | neck, "fill"), (mane, INK)]


def bird(x: Tensor, y: Tensor) -> Layers:
    body, head = disc(x, y, 0, 0.1, 0.6, 0.38), disc(x, y, 0.5, -0.35, 0.3)
    tail = taper(y, x, -1.0, -0.4, 0.28, 0.05, 0.0)
    beak = taper(y, x, 0.72, 1.0, 0.14, 0.0, -0.32)
    legs = line(x, y, -0.1, 0.4, -0.1, 0.95, 0.05) | line(x, y, 0.2, 0.4, 0.2, 0.95, 0.05)
    wing = disc(x, y, -0.1, 0.05, 0.35, 0.2)
    return [(legs | beak, INK), (body | head | tail, "fill"), (wing, "shade"), (disc(x, y, 0.55, -0.4, 0.09), LIGHT)]


def fish(x: Tensor, y: Tensor) -> Layers:
    body, tail = disc(x, y, 0.2, 0, 0.72, 0.45), taper(y, x, -0.98, -0.35, 0.5, 0.05)
    fin = taper(x, y, -0.7, -0.3, 0.05, 0.3, 0.1)
    scales = line(x, y, 0.25, -0.3, 0.25, 0.3, 0.05) | line(x, y, -0.05, -0.3, -0.05, 0.3, 0.05)
    return [(fin, "shade"), (body | tail, "fill"), (scales, "shade"), (disc(x, y, 0.6, -0.1, 0.11), INK)]


def tree(x: Tensor, y: Tensor) -> Layers:
    crown = disc(x, y, 0, -0.5, 0.5) | disc(x, y, -0.4, -0.1, 0.42) | disc(x, y, 0.4, -0.1, 0.42)
    return [(box(x, y, -0.15, 0.15, 0.0, 1.0), WOOD), (crown, "fill")]


def flower(x: Tensor, y: Tensor) -> Layers:
    petals = torch.zeros_like(x, dtype=torch.bool) | torch.zeros_like(y, dtype=torch.bool)
    for turn in range(5):
        angle = 2 * math.pi * turn / 5 - math.pi / 2
        petals = petals | disc(x, y, 0.38 * math.cos(angle), -0.4 + 0.38 * math.sin(angle), 0.27)
    stem = box(x, y, -0.06, 0.06, 0.0, 1.0) | disc(x, y, 0.28, 0.65, 0.26, 0.11)
    return [(stem, (0.1, 0.4, 0.12)), (petals, "fill"), (disc(x, y, 0, -0.4, 0.2), INK)]


def mushroom(x: Tensor, y: Tensor) -> Layers:
    cap = disc(x, y, 0, 0, 0.95, 0.85) & (y < 0)
    spots = disc(x, y, 0, -0.5, 0.17) | disc(x.abs(), y, 0.5, -0.25, 0.15)
    return [(taper(x, y, -0.05, 0.9, 0.2, 0.36), (0.8, 0.74, 0.62)), (cap, "fill"), (spots, LIGHT)]


def car(x: Tensor, y: Tensor) -> Layers:
    body = box(x, y, -1, 1, 0.0, 0.5) | taper(x, y, -0.5, 0.05, 0.4, 0.65)
    glass = taper(x, y, -0.38, 0.0, 0.3, 0.48) & (x.abs() > 0.06)
    wheels = disc(x.abs(), y, 0.55, 0.5, 0.28)
    return [(body, "fill"), (glass, LIGHT), (wheels, INK), (disc(x.abs(), y, 0.55, 0.5, 0.11), METAL)]


def train(x: Tensor, y: Tensor) -> Layers:
    body = box(x, y, -0.9, -0.25, -0.7, 0.5) | box(x, y, -0.3, 0.95, -0.15, 0.5)
    funnel = box(x, y, 0.5, 0.75, -0.8, -0.1) | box(x, y, 0.4, 0.85, -0.95, -0.7)
    wheels = disc(x, y, -0.6, 0.65, 0.3) | disc(x, y, 0.1, 0.72, 0.22) | disc(x, y, 0.65, 0.72, 0.22)
    return [(body, "fill"), (box(x, y, -0.75, -0.4, -0.5, -0.1), LIGHT), (wheels | funnel, INK)]


def bus(x: Tensor, y: Tensor) -> Layers:
    glass = box(x, y, -0.85, 0.85, -0.45, -0.05) & (((x + 0.85) % 0.44) < 0.32)
    stripe = box(x, y, -1, 1, 0.2, 0.3)
    wheels = disc(x.abs(), y, 0.55, 0.6, 0.24)
    return [(box(x, y, -1, 1, -0.7, 0.6), "fill"), (glass, LIGHT), (stripe, "shade"), (wheels, INK)]


def boat(x: Tensor, y: Tensor) -> Layers:
    hull = taper(x, y, 0.4, 0.9, 0.98, 0.55)
    sail = (x > 0.05) & (y > -0.95) & (y < 0.25) & (x < 0.05 + 0.6 * (y + 0.95))
    jib = (x < -0.12) & (y > -0.7) & (y < 0.25) & (x > -0.12 - 0.6 * (y + 0.7))
    return [(hull, "fill"), (box(x, y, -0.1, 0.03, -1, 0.45), INK), (sail | jib, METAL)]


def airplane(x: Tensor, y: Tensor) -> Layers:
    body = disc(x, y, 0, 0, 0.17, 1.0)
    sweep = y - 0.45 * x.abs()
    wings = (sweep > -0.3) & (sweep < 0.1) & (x.abs() < 1.0)
    tail = (sweep > 0.55) & (sweep < 0.8) & (x.abs() < 0.42)
    return [(wings | tail, "fill"), (body, "shade"), (disc(x, y, 0, -0.7, 0.09, 0.14), LIGHT)]


def bicycle(x: Tensor, y: Tensor) -> Layers:
    wheels = ring(x.abs(), y, 0.56, 0.4, 0.44, 0.28)
    frame = line(x, y, -0.56, 0.4, -0.2, -0.3, 0.06) | line(x, y, -0.2, -0.25, 0.4, -0.25, 0.06)
    frame = frame | line(x, y, 0.0, 0.4, 0.4, -0.3, 0.06) | line(x, y, -0.56, 0.4, 0.0, 0.4, 0.06)
    bars = line(x, y, 0.56, 0.4, 0.35, -0.55, 0.06) | line(x, y, 0.35, -0.6, 0.65, -0.6, 0.07)
    return [(wheels, "fill"), (frame | bars | line(x, y, -0.35, -0.4, -0.05, -0.4, 0.08), INK)]


def house(x: Tensor, y: Tensor) -> Layers:
    roof = taper(x, y, -0.95, -0.1, 0.0, 0.98)
    door, window = box(x, y, 0.1, 0.45, 0.25, 0.9), box(x, y, -0.5, -0.12, 0.15, 0.5)
    walls = box(x, y, -0.75, 0.75, -0.12, 0.9)
    return [(box(x, y, 0.4, 0.62, -0.9, -0.3), WOOD), (walls, "fill"), (roof, WOOD), (door, INK), (window, LIGHT)]


def cup(x: Tensor, y: Tensor) -> Layers:
    handle = ring(x, y, 0.5, -0.05, 0.4, 0.22) & (x > 0.4)
    steam = line(x, y, -0.35, -0.95, -0.35, -0.65, 0.05) | line(x, y, 0.05, -0.95, 0.05, -0.65, 0.05)
    saucer = disc(x, y, -0.1, 0.75, 0.85, 0.13)
    return [(saucer, METAL), (handle | steam, INK), (taper(x, y, -0.5, 0.65, 0.6, 0.4, -0.12), "fill")]


def bottle(x: Tensor, y: Tensor) -> Layers:
    body = (
        box(x, y, -0.36, 0.36, -0.15, 1.0) | taper(x, y, -0.45, -0.1, 0.13, 0.36) | box(x, y, -0.13, 0.13, -0.8, -0.4)
    )
    return [(body, "fill"), (box(x, y, -0.17, 0.17, -1.0, -0.75), INK), (box(x, y, -0.36, 0.36, 0.2, 0.6), LIGHT)]


def chair(x: Tensor, y: Tensor) -> Layers:
    back = box(x, y, -0.6, -0.38, -1.0, 0.2)
    legs = box(x, y, -0.6, -0.45, 0.2, 1.0) | box(x, y, 0.45, 0.6, 0.2, 1.0)
    return [(legs, WOOD), (back | box(x, y, -0.6, 0.62, 0.02, 0.28), "fill")]


def lamp(x: Tensor, y: Tensor) -> Layers:
    stand = box(x, y, -0.07, 0.07, -0.2, 0.9) | box(x, y, -0.45, 0.45, 0.82, 1.0)
    return [(stand, INK), (taper(x, y, -0.95, -0.1, 0.3, 0.75), "fill")]


def clock(x: Tensor, y: Tensor) -> Layers:
    hands = line(x, y, 0, 0, 0, -0.5, 0.07) | line(x, y, 0, 0, 0.38, 0.15, 0.07)
    return [(disc(x, y, 0, 0, 0.95), "fill"), (disc(x, y, 0, 0, 0.68), LIGHT), (hands, INK)]


def book(x: Tensor, y: Tensor) -> Layers:
    lean = y + 0.22 * x.abs()
    cover = (lean > -0.5) & (lean < 0.78) & (x.abs() < 1.0)
    pages = (lean > -0.4) & (lean < 0.55) & (x.abs() < 0.85) & (x.abs() > 0.07)
    text = pages & (x.abs() < 0.7) & (x.abs() > 0.2) & ((lean + 0.25) % 0.3 < 0.1) & (lean > -0.26)
    return [(cover, "fill"), (pages, LIGHT), (text, INK)]


def umbrella(x: Tensor, y: Tensor) -> Layers:
    dome = disc(x, y, 0, -0.05, 0.97, 0.85) & (y < -0.05 - 0.12 * (x * 7.5).sin().abs())
    stick = box(x, y, -0.06, 0.06, -1.0, 0.8) | (ring(x, y, 0.19, 0.75, 0.25, 0.13) & (y > 0.75))
    return [(stick, INK), (dome, "fill")]


def sun(x: Tensor, y: Tensor) -> Layers:
    angle = torch.atan2(y, x)
    rays = ((angle * 8 / (2 * math.pi)) % 1 - 0.5).abs() < 0.2
    far = x * x + y * y
    return [(rays & (far < 1.0) & (far > 0.4), "fill"), (disc(x, y, 0, 0, 0.55), "fill")]


def moon(x: Tensor, y: Tensor) -> Layers:
    return [(disc(x, y, 0, 0, 0.95) & ~disc(x, y, 0.45, -0.1, 0.75), "fill")]


def person(x: Tensor, y: Tensor) -> Layers:
    shirt = box(x, y, -0.34, 0.34, -0.4, 0.3) | line(x.abs(), y, 0.3, -0.3, 0.6, 0.2, 0.12)
    legs = box(x.abs(), y, 0.06, 0.32, 0.28, 1.0)
    return [(legs, INK), (shirt, "fill"), (disc(x, y, 0, -0.7, 0.28), SKIN)]


def coated_robot(x: Tensor, y: Tensor) -> Layers:
    coat = taper(x, y, -0.28, 0.85, 0.4, 0.8)
    buttons = disc(x, y, 0, 0.05, 0.08) | disc(x, y, 0, 0.35, 0.08) | disc(x, y, 0, 0.65, 0.08)
    return [*_robot_head(x, y), (box(x.abs(), y, 0.1, 0.4, 0.8, 1.0), METAL), (coat, "fill"), (buttons, INK)]


def bare_robot(x: Tensor, y: Tensor) -> Layers:
    arms, legs = box(x, y, -0.95, 0.95, -0.15, 0.05), box(x.abs(), y, 0.08, 0.26, 0.4, 1.0)
    gauge = disc(x, y, 0, 0.12, 0.15)
    return [*_robot_head(x, y), (arms | legs, METAL), (box(x, y, -0.32, 0.32, -0.28, 0.5), "fill"), (gauge, LIGHT)]


def _robot_head(x: Tensor, y: Tensor) -> Layers:
    head = box(x, y, -0.38, 0.38, -0.85, -0.28) | line(x, y, 0, -0.8, 0, -1.0, 0.06)
    return [(head, METAL), (disc(x.abs(), y, 0.17, -0.58, 0.1), INK)]


def lincoln(x: Tensor, y: Tensor) -> Layers:
    hat = box(x, y, -0.28, 0.28, -1.0, -0.5) | box(x, y, -0.5, 0.5, -0.56, -0.44)
    face, beard = box(x, y, -0.25, 0.25, -0.45, -0.05), taper(x, y, -0.2, 0.12, 0.28, 0.12)
    coat = box(x, y, -0.42, 0.42, 0.0, 0.7) | line(x.abs(), y, 0.4, 0.1, 0.55, 0.6, 0.12)
    return [(box(x.abs(), y, 0.05, 0.35, 0.65, 1.0), INK), (coat, "fill"), (face, SKIN), (hat | beard, INK)]


def curie(x: Tensor, y: Tensor) -> Layers:
    dress = taper(x, y, -0.3, 1.0, 0.16, 0.8)
    hair = disc(x, y, 0, -0.62, 0.36, 0.3) | disc(x, y, 0, -0.9, 0.17)
    arm, flask = line(x, y, 0.15, -0.1, 0.7, -0.25, 0.09), taper(x, y, -0.75, -0.2, 0.05, 0.22, 0.75)
    return [(dress, "fill"), (hair, WOOD), (disc(x, y, 0, -0.5, 0.25), SKIN), (arm, SKIN), (flask, (0.1, 0.75, 0.75))]


ICONS: dict[str, Callable[[Tensor, Tensor], Layers]] = {
    each.__name__: each
    for each in (
        cat, dog, horse, bird, fish, tree, flower, mushroom, car, train, bus, boat, airplane, bicycle, house, cup,
        bottle, chair, lamp, clock, book, umbrella, sun, moon, person,
    )
} | {
    "robot wearing a coat": coated_robot,
    "bare robot": bare_robot,
    "Abraham Lincoln": lincoln,
    "Marie Curie": curie,
}  # fmt: skip
