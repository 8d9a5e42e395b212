"""What a model gives, and what its weights are, in a few numbers: sketches of tokens and fingerprints of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor, nn

from .align import measured_positions
from .encoded import encode_prompts
from .families import TextInput
from .path import TextPath
from .stays import wide
from .update import RowUpdate, Update

NUMBERS = 128
"""About how many numbers a sketch has for each token."""


def sketches(path: TextPath) -> dict[str, Tensor]:
    """For each text input, one weight whose outputs are a few fixed mixes of the outputs of every linear there.

    `[numbers, d]`, with as many numbers for each input. Of several inputs, each is scaled so that the empty prompt has
    length 1 in it: else a pooled vector would be lost beside a hundred keys and values.
    """
    found = {text_input.name: _sketch(path, text_input) for text_input in path.inputs}
    if len(found) == 1:
        return found
    numbers = max(len(weight) for weight in found.values())
    empty = encode_prompts(path, [""])
    for text_input in path.inputs:
        weight = nn.functional.pad(found[text_input.name], (0, 0, 0, numbers - len(found[text_input.name])))
        positions = measured_positions(empty.rows[""][text_input.source], padding=empty.padding(text_input))
        outputs = empty.at(text_input, [("", positions)]).to(weight) @ weight.T
        found[text_input.name] = weight / outputs.square().sum(1).mean().sqrt()
    return found


def _sketch(path: TextPath, text_input: TextInput) -> Tensor:
    each = max(1, round(NUMBERS / len(text_input.layers)))
    return torch.cat([mixes(each, len(weight)).to(weight) @ weight for _, weight in path.conditioned(text_input)])


def mixes(count: int, length: int) -> Tensor:
    """Fixed directions that look random, `[count, length]` float64.

    They are `sqrt(2 / count) cos(pi g n^2)`, where g is the golden ratio and n counts all entries from 0, row by row.
    Distances between vectors survive, on average, in their mixes.
    """
    n = torch.arange(count * length, dtype=torch.float64)
    golden = (1 + 5**0.5) / 2
    return ((n * n * golden / 2).frac() * 2 * torch.pi).cos().reshape(count, length) * (2 / count) ** 0.5


def fingerprint(weight: Tensor) -> tuple[float, float]:
    """Size of a weight and one fixed mix of all its entries, to four digits: it is known again by them."""
    weight = wide(weight.detach())
    rows, columns = (mixes(1, length).to(weight.device) for length in weight.shape)
    return _short(weight.norm()), _short(rows @ weight @ columns.T)


def changed(weight: Tensor, update: Update) -> Tensor:
    """What a fingerprint is taken of: the whole weight, or of a table the rows that change."""
    return weight[update.rows.to(weight.device)] if isinstance(update, RowUpdate) else weight


def _short(number: Tensor) -> float:
    return float(f"{float(number):.4g}")


def difference(known: Mapping[str, Sequence[float]], live: Mapping[str, Sequence[float]]) -> float | None:
    """About how far the weights of a live model are from those with these fingerprints, as a share of their size.

    None where the two share no weight, so that nothing can be said. Any weight is all of its size away from zeros.
    """
    shared = [name for name in known if name in live]
    if not shared:
        return None
    return fmean(_share(known[name], live[name]) ** 2 for name in shared) ** 0.5


def _share(known: Sequence[float], live: Sequence[float]) -> float:
    if known[0] == 0:
        return float(live[0] != 0)
    return (known[1] - live[1]) / known[0]
