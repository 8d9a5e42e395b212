"""Laws of solver, checks, fingerprints and files, on made-up numbers and damaged bytes."""

import math
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.torch import save

from erasepro_core import container
from erasepro_core.checks import Check, leak_against
from erasepro_core.concept import PromptPair
from erasepro_core.container import FileError
from erasepro_core.files import pack, read
from erasepro_core.sketch import difference, fingerprint
from erasepro_core.solve import SolveError, zero_residual_factor
from erasepro_core.stays import Stays
from tests.artefact import example, normal

EXPONENTS = st.integers(-6, 6)


def columns(data, d: int, count: int, seed: int) -> torch.Tensor:
    """Columns of many sizes: random, repeated, near copies of each other, condition numbers to 1e12."""
    X = normal(d, count, seed=seed).double()
    X = X * 10.0 ** torch.tensor([float(data.draw(EXPONENTS)) for _ in range(count)], dtype=torch.float64)
    for column in range(1, count):
        kind = data.draw(st.sampled_from(["random", "random", "copy", "near"]))
        if kind != "random":
            noise = 10.0 ** data.draw(st.integers(-12, -2)) if kind == "near" else 0.0
            X[:, column] = X[:, column - 1] * (1 + noise * normal(d, seed=seed + column).double())
    return X


@given(st.data(), st.integers(1, 12), st.integers(1, 16), st.integers(1, 8), st.integers(0, 4), st.integers(0, 1000))
def test_a_solve_keeps_its_promises_on_any_columns(data, d_out, d_in, n, p, seed):
    X, gap = columns(data, d_in, n, seed), normal(d_out, n, seed=seed + 50).double()
    C = columns(data, d_in, p, seed + 100)
    try:
        factor = zero_residual_factor(X, Stays.of(C, like=X))
    except SolveError:
        assert p > 0  # only preserves can leave nothing free
        return
    update = gap @ factor.mixing @ factor.right
    assert factor.rank <= min(n, d_in)
    assert bool(torch.isfinite(update).all())
    # What is corrected in full is: each kept mix of columns gains the same mix of gaps.
    kept = factor.kept
    wanted = gap @ kept
    rounding = 1e-9 * factor.condition**2 * (1 + float(update.norm() * (X @ kept).norm()))
    assert float((update @ (X @ kept) - wanted).norm()) <= 1e-6 * float(wanted.norm()) + rounding
    if p:
        moved = update @ (C / C.norm(dim=0))
        assert float(moved.norm()) <= 1e-5 * float(update.norm()) * math.sqrt(p) + 1e-12
    assert 1 <= factor.condition < math.inf


@given(st.integers(2, 8), st.integers(0, 4), st.floats(0, 12), st.integers(-6, 6), st.integers(0, 1000))
def test_columns_of_any_condition_number_give_a_bounded_update(n, extra, exponent, size, seed):
    """Singular values from 1 down to 1e-12: what is too weak to be told from rounding is left, and nothing explodes."""
    d, scale = n + extra, 10.0**size
    left, right = (torch.linalg.qr(normal(*shape, seed=seed).double())[0] for shape in ((d, n), (n, n)))
    values = torch.logspace(0, -exponent, n, dtype=torch.float64)
    X, gap = scale * left * values @ right.T, normal(3, n, seed=seed + 50).double()
    factor = zero_residual_factor(X)
    update = gap @ factor.mixing @ factor.right
    assert 1 <= factor.condition <= 1.01e6
    assert factor.rank >= int((values > 2e-6).sum())  # what is strong enough is met
    assert float(update.norm() * scale) <= 2e6 * float(gap.norm()) * n
    left_over = (update @ X - gap) @ factor.kept
    assert float(left_over.norm()) <= 1e-3 * float((gap @ factor.kept).norm())


@given(st.integers(2, 12), st.floats(-14, -8), st.integers(-6, 6), st.integers(0, 1000), st.booleans())
def test_two_columns_that_are_nearly_one_are_met_on_average(d, near, size, seed, alike):
    one = 10.0**size * normal(d, 1, seed=seed).double()
    X = torch.cat([one, one + 10.0**near * one.norm() * normal(d, 1, seed=seed + 1).double()], dim=1)
    gap = normal(4, 2, seed=seed + 2).double()
    if alike:
        gap[:, 1] = gap[:, 0]
    factor = zero_residual_factor(X)
    gained = gap @ factor.mixing @ factor.right @ X
    torch.testing.assert_close(gained.mean(1), gap.mean(1), rtol=1e-4, atol=1e-5)
    if alike:
        torch.testing.assert_close(gained, gap, rtol=1e-4, atol=1e-5)


NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(NUMBERS, min_size=12, max_size=12), st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_leak_is_a_finite_number_and_never_small_where_the_concept_is(numbers, seed, share, moved):
    target, anchor = normal(2, 6, seed=seed), normal(2, 6, seed=seed + 1)
    check = Check(PromptPair("a {}", "cat", "dog", 0), target, anchor)
    anything = torch.tensor(numbers).reshape(2, 6)
    for live in ((anything, anchor), (target, anything), (anything, anything)):
        assert math.isfinite(leak_against(check, *live))
    assert leak_against(check, target, anything) >= 0.99  # whatever becomes of the anchor
    between = anchor + share * (target - anchor)
    elsewhere = anchor + moved * normal(2, 6, seed=seed + 2)
    assert leak_against(check, between, elsewhere) >= share - 1e-4
    assert leak_against(check, between, anchor) == pytest.approx(share, abs=1e-4)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000), st.sampled_from([0.0, 1e-8, 1.0, 1e6]))
def test_a_weight_has_no_distance_from_itself(rows, cols, seed, scale):
    mark = fingerprint(scale * normal(rows, cols, seed=seed))
    assert difference({"a": mark}, {"a": mark}) == 0
    distance = difference({"a": mark}, {"a": fingerprint(normal(rows, cols, seed=seed + 1))})
    assert distance is not None
    assert distance >= 0


TENSORS, METADATA = pack(example(), "float32")
SEALED = save(TENSORS, METADATA | {container.CHECKSUM: container.checksum(TENSORS, METADATA)})
FOLDER = Path(tempfile.mkdtemp(prefix="erasepro-fuzz-"))


@given(st.lists(st.tuples(st.integers(0, len(SEALED) - 1), st.binary(max_size=4)), max_size=4), st.integers(0, 64))
def test_a_damaged_file_is_refused_with_a_reason_or_is_the_good_one(changes, cut):
    damaged = bytearray(SEALED)
    for position, replacement in changes:
        damaged[position : position + len(replacement)] = replacement
    damaged = bytes(damaged[: len(damaged) - cut])
    assume(damaged != SEALED)
    file = FOLDER / "damaged.safetensors"
    file.write_bytes(damaged)
    try:
        report = read(file)
    except FileError as error:
        assert str(error)
        return
    assert report.solution.updates.checksum() == example().solution.updates.checksum()
