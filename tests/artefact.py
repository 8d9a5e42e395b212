"""A small erasure with everything a report says of it, made by hand: for tests of files, without any model."""

from dataclasses import replace
from math import nan

import torch

from erasepro_core import LowRankUpdate, Options, Report, Solution, UpdateSet, parse_request
from erasepro_core.checks import Check
from erasepro_core.concept import PromptPair
from erasepro_core.report import Residual, digest_of
from erasepro_core.solution import LayerRecord, Side, Trial

ENCODER = "clip_l.transformer.text_model.encoder.layers.0.mlp.fc2"
KEYS = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k"
VALUES = KEYS.replace("to_k", "to_v")
REQUEST = parse_request("circle | disc -> square", "object", "triangle\nring", "a house").joined(
    parse_request("Van Gogh -> an artist", "style", "Monet")
)
REQUEST = replace(REQUEST, concepts=(replace(REQUEST.concepts[0], found=("puss",)), REQUEST.concepts[1]))


def side_of(name: str) -> Side:
    return Side.TEXT_ENCODER if name == ENCODER else Side.DIFFUSION_MODEL


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def example(scale: float = 1.0) -> Report:
    """Three layers, two of which share a factor as keys and values do, and two checks."""
    shared = normal(2, 8, seed=3)
    updates = {
        ENCODER: LowRankUpdate(scale * normal(8, 3, seed=0), normal(3, 16, seed=1)),
        KEYS: LowRankUpdate(normal(12, 2, seed=2), shared),
        VALUES: LowRankUpdate(normal(12, 2, seed=8), shared),
    }
    records = [
        LayerRecord(side_of(name), name, depth, 5.0, 2.5, update.norm(), update.rank, condition, torch.zeros(0, 0))
        for depth, ((name, update), condition) in enumerate(zip(updates.items(), (12.5, nan, 3.0), strict=True))
    ]
    checks = [
        Check(PromptPair("look at the {} here", "disc", "square", 0), normal(3, 4, seed=4), normal(3, 4, seed=5)),
        Check(PromptPair("{} art", "Van Gogh", "an artist", 1), normal(3, 4, seed=6), normal(3, 4, seed=7)),
    ]
    solution = Solution(
        UpdateSet("sd1", {ENCODER: updates.pop(ENCODER)}, updates),
        REQUEST,
        Options(tolerance=0.2, templates=5),
        start=0,
        layers=tuple(records),
        trials=(Trial(0, 0.05, 0.02), Trial(3, 0.4, 0.01)),
        seconds=1.25,
    )
    fingerprints = {ENCODER: (3.0, -1.5), KEYS: (2.0, 0.25), VALUES: (2.0, 0.5)}
    return Report(
        solution=solution,
        residuals={ENCODER: Residual(1e-6, 0.03), KEYS: Residual(2e-6, 0.04), VALUES: Residual(2e-6, 0.05)},
        leak_training=(0.01, 0.02),
        leak_unseen=(0.05, 0.06),
        leak_unlisted=(0.5, None),
        leak_found=((("puss", 0.4),), ()),
        drift={"neutral": 0.02, "anchors": 0.01},
        moved={"preserves": (("ring", 0.25), ("triangle", 0.01)), "neighbours": (("moon", 0.1),)},
        checks=tuple(checks),
        fingerprints=fingerprints,
        digest=digest_of(solution, fingerprints),
    )
