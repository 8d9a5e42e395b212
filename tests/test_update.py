"""Low-rank updates: the factors are the truth, the dense form is derived."""

import pytest
import torch

from erasepro_core.update import Erasure, LowRankUpdate


@pytest.fixture
def update():
    generator = torch.Generator().manual_seed(0)
    return LowRankUpdate(torch.randn(6, 2, generator=generator), torch.randn(2, 9, generator=generator))


def test_calling_it_is_multiplying_by_the_dense_form(update):
    features = torch.randn(4, 5, 9)
    torch.testing.assert_close(update(features), features @ update.dense().T)


def test_its_size_and_rank_need_no_dense_form(update):
    assert update.norm() == pytest.approx(float(update.dense().norm()), rel=1e-6)
    assert update.rank == 2 == torch.linalg.matrix_rank(update.dense())
    assert update.nbytes() == 4 * (6 * 2 + 2 * 9)


def test_a_checksum_names_the_contents(update):
    one = Erasure("sd1", {"a": update}, {"b": update})
    same = Erasure("sd1", {"a": LowRankUpdate(update.left.clone(), update.right.clone())}, {"b": update})
    assert one.checksum() == same.checksum()
    assert len(one.checksum()) == 16
    moved = LowRankUpdate(update.left + 1e-6, update.right)
    others = [Erasure("sd2", {"a": update}, {"b": update}), Erasure("sd1", {"a": moved}, {"b": update})]
    others += [Erasure("sd1", {"a": update}, {"c": update}), Erasure("sd1", {"a": update, "b": update}, {})]
    assert len({one.checksum(), *(other.checksum() for other in others)}) == 5


def test_an_erasure_weighs_what_its_factors_weigh(update):
    assert Erasure("sd1", {"a": update}, {"b": update, "c": update}).nbytes() == 3 * update.nbytes()
