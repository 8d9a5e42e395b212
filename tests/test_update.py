"""Low-rank updates: the factors are the truth, the dense form is derived."""

import pytest
import torch

from erasepro_core.update import LowRankUpdate, UpdateSet, trimmed


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
    one = UpdateSet("sd1", {"a": update}, {"b": update})
    same = UpdateSet("sd1", {"a": LowRankUpdate(update.left.clone(), update.right.clone())}, {"b": update})
    assert one.checksum() == same.checksum()
    assert len(one.checksum()) == 16
    moved = LowRankUpdate(update.left + 1e-6, update.right)
    others = [UpdateSet("sd2", {"a": update}, {"b": update}), UpdateSet("sd1", {"a": moved}, {"b": update})]
    others += [UpdateSet("sd1", {"a": update}, {"c": update}), UpdateSet("sd1", {"a": update, "b": update}, {})]
    assert len({one.checksum(), *(other.checksum() for other in others)}) == 5


def test_an_erasure_weighs_what_its_factors_weigh(update):
    assert UpdateSet("sd1", {"a": update}, {"b": update, "c": update}).nbytes() == 3 * update.nbytes()


def test_trimming_leaves_out_as_many_terms_as_the_loss_allows_and_no_more():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.linalg.qr(torch.randn(20, 4, generator=generator))[0], torch.randn(4, 9, generator=generator)
    sizes, mixes = torch.tensor([4.0, 2.0, 0.3, 0.4]), torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    update = LowRankUpdate(left * sizes @ mixes, mixes.T @ right)
    ranks = {loss: trimmed(update, loss).rank for loss in (0.0, 0.29, 0.31, 0.49, 0.51, 9.0)}
    assert ranks == {0.0: 4, 0.29: 4, 0.31: 3, 0.49: 3, 0.51: 2, 9.0: 1}  # 0.3 and 0.4 together are 0.5
    torch.testing.assert_close(trimmed(update, 0.0).dense(), update.dense())
    torch.testing.assert_close(trimmed(update, 0.51).dense(), (left * sizes)[:, :2] @ right[:2])
