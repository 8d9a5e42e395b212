"""The constrained problems against an independent reference: one linear system per row of the update, in float64."""

import pytest
import torch
from torch import Tensor

from erasepro_core.solve import SolveError, _spectrum, restoring_update, uce_factor, zero_residual_update
from erasepro_core.solve import zero_residual_factor as solved_factor
from erasepro_core.stays import Stays, rounded
from erasepro_core.update import trimmed


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def zero_residual_factor(X: Tensor, *, preserve=None, weighted=None, neutral=None, ridge=0.03, **how):
    """The factor, and what must not move, in one call."""
    parts = [(part, 1.0) for part in (neutral, weighted) if part is not None]
    return solved_factor(X, Stays.of(preserve, parts, like=X, ridge=ridge), **how)


@pytest.fixture
def problem():
    """Random W, X, Y, C of the given sizes."""

    def make(d_out: int, d_in: int, n: int, p: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return normal(d_out, d_in, seed=1), normal(d_in, n, seed=2), normal(d_in, n, seed=3), normal(d_in, p, seed=4)

    return make


def reference(gap: Tensor, target: Tensor, preserve: Tensor, metric: Tensor) -> Tensor:
    """min tr(U M U') with U X = G and U C = 0, from its optimality conditions: no pseudo-inverse, no truncation."""
    constraints = torch.cat([target, preserve], dim=1)
    values = torch.cat([gap, gap.new_zeros(gap.shape[0], preserve.shape[1])], dim=1)
    d, k = constraints.shape
    system = torch.cat(
        [
            torch.cat([2 * metric, constraints], dim=1),
            torch.cat([constraints.T, metric.new_zeros(k, k)], dim=1),
        ]
    )
    right = torch.cat([metric.new_zeros(d, gap.shape[0]), values.T])
    return torch.linalg.solve(system, right)[:d].T


def moment(neutral: Tensor, ridge: float, free: Tensor) -> Tensor:
    """The metric that the solver documents, taken on the free directions."""
    projected = free @ neutral
    second = projected @ projected.T / neutral.shape[1]
    return second + ridge * second.trace() / len(second) * torch.eye(len(second), dtype=second.dtype)


def complement(preserve: Tensor) -> Tensor:
    return torch.eye(len(preserve), dtype=preserve.dtype) - preserve @ torch.linalg.pinv(preserve)


def test_the_edited_layer_treats_target_as_anchor(problem):
    W, X, Y, C = problem(d_out=6, d_in=8, n=3, p=2)
    edited = W + zero_residual_update(W, X, Y, C).dense()
    torch.testing.assert_close(edited @ X, W @ Y, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(W @ X, W @ Y, atol=0.1)  # there was something to erase


def test_preserved_features_do_not_move(problem):
    W, X, Y, C = problem(d_out=6, d_in=8, n=3, p=2)
    assert (zero_residual_update(W, X, Y, C).dense().double() @ C).norm() < 1e-5 * (W @ C).norm()
    assert (zero_residual_update(W, X, Y).dense().double() @ C).norm() > 1e-2 * (W @ C).norm()  # and would have


def test_without_neutral_prompts_it_is_the_smallest_update_there_is(problem):
    W, X, Y, C = problem(d_out=6, d_in=8, n=3, p=2)
    expected = reference(W @ (Y - X), X, C, torch.eye(8, dtype=torch.float64))
    torch.testing.assert_close(zero_residual_update(W, X, Y, C).dense().double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("samples", [5, 40])
def test_with_neutral_prompts_it_is_the_one_they_feel_least(problem, samples):
    W, X, Y, C = problem(d_out=6, d_in=12, n=3, p=2)
    N, G = normal(12, samples, seed=5), W @ (Y - X)
    U = zero_residual_factor(X, preserve=C, neutral=N, ridge=0.1).update(G).dense().double()
    torch.testing.assert_close(U, reference(G, X, C, moment(N, 0.1, complement(C))), rtol=1e-4, atol=1e-5)
    plain = zero_residual_factor(X, preserve=C).update(G).dense().double()
    assert (U @ N).norm() < (plain @ N).norm()


def test_no_other_feasible_update_is_smaller(problem):
    W, X, Y, C = problem(d_out=6, d_in=12, n=3, p=2)
    N = normal(12, 40, seed=5)
    U = zero_residual_factor(X, preserve=C, neutral=N).update(W @ (Y - X)).dense().double()
    M = moment(N, 0.1, complement(C))
    feasible = complement(torch.cat([X, C], dim=1))
    size = torch.trace(U @ M @ U.T)
    for seed in range(20):
        other = U + 0.1 * normal(6, 12, seed=100 + seed) @ feasible
        torch.testing.assert_close(other @ X, U @ X)  # still feasible
        assert torch.trace(other @ M @ other.T) > size


def test_the_rank_is_at_most_the_number_of_aligned_tokens(problem):
    W, X, Y, C = problem(d_out=20, d_in=30, n=4, p=3)
    assert zero_residual_update(W, X, Y, C).rank == 4
    repeated = zero_residual_update(W, torch.cat([X, X], 1), torch.cat([Y, Y], 1), C)
    assert repeated.rank == 4
    assert torch.linalg.matrix_rank(repeated.dense(), rtol=1e-5) == 4


def test_near_copies_are_met_on_average_and_kept_directions_exactly(problem):
    W, X, Y, _ = problem(d_out=6, d_in=30, n=4, p=1)
    X = torch.cat([X, X + 1e-3 * normal(30, 4, seed=9)], dim=1)
    G = W @ (torch.cat([Y, Y + normal(30, 4, seed=10)], dim=1) - X)
    factor = zero_residual_factor(X, rtol=0.03)
    left = factor.update(G).dense().double() @ X - G
    assert factor.rank == 4
    assert (left @ factor.kept).norm() < 1e-5 * (G @ factor.kept).norm()
    assert left.norm() > 0.1 * G.norm()
    exact = zero_residual_factor(X, rtol=1e-6)
    assert exact.update(G).norm() > 50 * factor.update(G).norm()  # what meeting them one by one would cost


def test_one_feature_with_two_anchors_ends_half_way_and_says_so(problem):
    W, X, Y, _ = problem(d_out=6, d_in=8, n=2, p=1)
    X = X[:, :1].repeat(1, 2)
    G = W @ (Y - X)
    U = zero_residual_factor(X).update(G).dense().double()
    torch.testing.assert_close(U @ X, G.mean(1, keepdim=True).repeat(1, 2), rtol=1e-5, atol=1e-5)
    assert (U @ X - G).norm() > 0.1 * G.norm()


def test_a_target_inside_the_preserves_is_refused(problem):
    W, _, Y, C = problem(d_out=6, d_in=8, n=1, p=2)
    inside = C @ torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    with pytest.raises(SolveError, match="span of the features to preserve"):
        zero_residual_update(W, inside, Y, C)


def test_the_free_share_tells_how_near_a_target_is_to_the_preserves(problem):
    _, X, _, C = problem(d_out=6, d_in=8, n=1, p=2)
    near = C[:, :1] / C[:, :1].norm() + 0.1 * complement(C) @ X / (complement(C) @ X).norm()
    share = zero_residual_factor(torch.cat([near, complement(C) @ X], dim=1), preserve=C).free
    torch.testing.assert_close(share, torch.tensor([0.1 / 1.01**0.5, 1.0], dtype=torch.float64))


@pytest.mark.parametrize("size", [1.0, 100.0])
def test_a_huge_preserved_feature_changes_neither_rank_nor_result(problem, size):
    """Real CLIP encoders have massive activations at BOS, which every prompt has."""
    W, X, Y, C = problem(d_out=6, d_in=20, n=3, p=2)
    X = torch.cat([X, X + 0.05 * normal(20, 3, seed=7)], dim=1)
    G = W @ (torch.cat([Y, Y], dim=1) - X)
    bos = normal(20, 1, seed=6)

    def solved(scale: float):
        parts = [normal(20, 30, seed=5), scale * bos]
        return zero_residual_factor(
            X, preserve=torch.cat([scale * bos, C], 1), neutral=torch.cat(parts, 1), weighted=C, rtol=0.03
        )

    plain, huge = solved(1.0), solved(size)
    assert huge.rank == plain.rank
    torch.testing.assert_close(huge.update(G).dense(), plain.update(G).dense(), rtol=1e-4, atol=1e-6)
    assert (huge.update(G).dense().double() @ bos).norm() * size < 1e-3


def test_a_strong_concept_does_not_push_a_weak_one_out(problem):
    W, X, Y, _ = problem(d_out=6, d_in=20, n=4, p=1)
    X = X * torch.tensor([1.0, 1.0, 1e-3, 1e-3], dtype=torch.float64)
    G = W @ (Y - X)
    own = zero_residual_factor(X, concept=torch.tensor([0, 0, 1, 1]), rtol=0.03)
    assert (own.update(G).dense().double() @ X - G).norm() < 1e-4 * G.norm()
    together = zero_residual_factor(X, rtol=0.03)
    assert (together.update(G).dense().double() @ X - G)[:, 2:].norm() > 0.5 * G[:, 2:].norm()


def test_without_a_part_of_the_left_factor_no_concept_comes_back_by_more_than_that_share(problem):
    """The weak concept sets the measure, however large the other one is."""
    W, X, Y, _ = problem(d_out=40, d_in=60, n=20, p=1)
    concept = torch.tensor([0] * 12 + [1] * 8)
    X = X * torch.where(concept == 0, 1.0, 0.05)
    G = W @ (Y - X) * torch.where(concept == 0, 1.0, 0.005)
    factor = zero_residual_factor(X, neutral=normal(60, 30, seed=3), concept=concept)
    gaps = torch.stack([G[:, concept == c].norm() for c in (0, 1)])
    update, whole = factor.update(G), factor.trim_budget(gaps)
    assert whole < 0.2 * update.left.norm()
    for share in (0.1, 0.5, 0.9):
        less = trimmed(update, share * whole)
        left = G - less.dense().double() @ X
        back = [float(left[:, concept == c].norm() / gaps[c]) for c in (0, 1)]
        assert max(back) < share * 1.001
    assert less.rank < update.rank
    assert max(back) > 0.1


def test_nothing_is_known_of_what_uce_could_spare(problem):
    _, X, _, _ = problem(d_out=6, d_in=10, n=3, p=4)
    assert uce_factor(X).trim_budget(torch.tensor([3.0, 1.0])) == 0


def test_uce_solves_its_own_published_equation(problem):
    W, X, Y, C = problem(d_out=6, d_in=10, n=3, p=4)
    eye = torch.eye(10, dtype=torch.float64)
    system = 0.5 * eye + X @ X.T + C @ C.T
    expected = (0.5 * W + W @ Y @ X.T + W @ C @ C.T) @ torch.linalg.inv(system)
    edited = W + uce_factor(X, C).update(W @ (Y - X)).dense()
    torch.testing.assert_close(edited, expected, rtol=1e-5, atol=1e-5)


def test_uce_leaves_the_residual_that_theory_says(problem):
    W, X, Y, C = problem(d_out=6, d_in=10, n=1, p=4)
    felt = X.T @ torch.linalg.inv(0.5 * torch.eye(10, dtype=torch.float64) + C @ C.T) @ X
    edited = W + uce_factor(X, C).update(W @ (Y - X)).dense()
    residual = (edited @ X - W @ Y).norm() / (W @ (Y - X)).norm()
    torch.testing.assert_close(residual, (1 / (1 + felt)).squeeze(), rtol=1e-4, atol=1e-6)
    assert residual > 0.01  # where ours has none


def test_shapes_that_disagree_are_named(problem):
    W, X, Y, _ = problem(d_out=6, d_in=8, n=3, p=1)
    with pytest.raises(ValueError, match=r"targets \[8, 3\] and anchors \[8, 2\]"):
        zero_residual_update(W, X, Y[:, :2])


def test_a_direction_that_costs_everyday_prompts_too_much_is_left_alone(problem):
    W, X, Y, _ = problem(d_out=6, d_in=12, n=2, p=1)
    N = torch.cat([0.1 * normal(12, 40, seed=5), X[:, 1:].repeat(1, 20)], dim=1)  # the second target is everyday
    G = W @ (Y - X)
    cheap, costly = zero_residual_factor(X, neutral=N, max_cost=0.1), zero_residual_factor(X, neutral=N)
    assert (cheap.rank, costly.rank) == (1, 2)
    left = cheap.update(G).dense().double() @ X - G
    assert (left @ cheap.kept).norm() < 1e-5 * (G @ cheap.kept).norm()  # what is corrected is corrected exactly
    assert (cheap.update(G).dense().double() @ N).norm() < 0.1 * (costly.update(G).dense().double() @ N).norm()


def test_a_direction_that_is_a_little_too_dear_is_corrected_in_part(problem):
    W, X, Y, _ = problem(d_out=6, d_in=12, n=2, p=1)
    N = torch.cat([0.1 * normal(12, 40, seed=5), X[:, 1:].repeat(1, 20)], dim=1)
    G, costly = W @ (Y - X), zero_residual_factor(X, neutral=N)

    def gained(max_cost: float) -> float:
        """Share of the costly mix that an update corrects."""
        done = zero_residual_factor(X, neutral=N, max_cost=max_cost).update(G).dense().double() @ X @ costly.kept[:, :1]
        return float(done.norm() / (G @ costly.kept[:, :1]).norm())

    assert gained(10) == pytest.approx(1, abs=1e-5)
    assert 0.15 < gained(0.4) < gained(0.5) < 1
    assert gained(0.5) / gained(0.4) == pytest.approx((0.5 / 0.4) ** 2, rel=1e-4)


def test_the_price_of_a_concept_does_not_depend_on_how_often_it_is_said(problem):
    _, X, _, _ = problem(d_out=6, d_in=12, n=2, p=1)
    N, concept = normal(12, 40, seed=5), torch.tensor([0, 1])
    often = torch.cat([X[:, :1].repeat(1, 9), X[:, 1:]], dim=1)
    of = torch.tensor([0] * 9 + [1])
    for max_cost in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        once = zero_residual_factor(X, neutral=N, concept=concept, max_cost=max_cost)
        many = zero_residual_factor(often, neutral=N, concept=of, max_cost=max_cost)
        assert once.kept.shape[1] == many.kept.shape[1]


@pytest.mark.parametrize("n", [8, 30, 90])
def test_more_columns_than_features_change_nothing_but_the_work(n):
    """With more columns than features the spectrum comes from the smaller side; both sides are the same problem."""
    X = normal(20, n, seed=2)
    M = torch.eye(20, dtype=torch.float64) + 0.1 * normal(20, 20, seed=9) @ normal(20, 20, seed=9).T
    values, vectors = _spectrum(X, torch.linalg.solve(M, X))
    gram = X.T @ torch.linalg.solve(M, X)
    known = torch.linalg.eigvalsh(gram)[-len(values) :]
    torch.testing.assert_close(values, known, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(gram @ vectors, vectors * values, rtol=1e-8, atol=1e-8)
    assert len(values) == min(n, 20)


@pytest.mark.parametrize("samples", [40, 400])  # kept as columns, or as a factor
def test_a_moment_that_counts_other_features_is_the_mean_of_both(problem, samples):
    _, X, _, C = problem(4, 96, 5, 3)
    some, others, weights = normal(96, samples, seed=5), normal(96, 50, seed=6), torch.linspace(0.1, 1, 50)
    stays = Stays.of(C, [(some, 1.0)], like=X)
    free = [stays.free(part) for part in (some / samples**0.5, others * weights)]
    identity = torch.eye(96, dtype=torch.float64)
    M = (free[0] @ free[0].T + stays.floor * identity + free[1] @ free[1].T) / 2
    expected = stays.free(torch.linalg.solve(M, stays.free(X)))
    assert torch.allclose(stays.averaged(others, weights).divided(stays.free(X)), expected, rtol=1e-3, atol=1e-3)


def test_a_feature_too_large_for_half_precision_counts_as_the_largest_there_is():
    """Some activations of T5 are; what only measures is kept in half precision."""
    stays = Stays.of(None, [(rounded(normal(96, 40, seed=5).float()), 1.0)], like=torch.zeros(96, 1))
    both = stays.averaged(1e5 * normal(96, 3, seed=6).float(), torch.ones(3))
    assert both.divided(normal(96, 5, seed=7)).isfinite().all()


@pytest.mark.parametrize("samples", [40, 400])
def test_what_earlier_layers_took_is_given_back_and_what_is_held_stays(problem, samples):
    _, X, _, C = problem(4, 96, 5, 3)
    N, weights = normal(96, samples, seed=5), torch.full((samples,), samples**-0.5)
    moved = normal(64, 3, seed=7) @ normal(3, 96, seed=8) @ N  # as updates of rank 3 move things
    update = restoring_update(moved, N, weights, Stays.of(C, [(N, 1.0)], like=X).averaged(N, weights))
    left = moved - update.dense().double() @ N
    assert update.rank <= 32
    assert left.norm() < 0.62 * moved.norm()  # half is what the moment of before resists
    assert (update.dense().double() @ C).norm() < 1e-5 * moved.norm()
    assert not torch.allclose(update.dense(), torch.zeros(64, 96))
