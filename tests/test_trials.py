"""Which starts are tried, with which share of the tolerance, and which of them is taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from erasepro_core import trials
from erasepro_core.solution import Trial
from erasepro_core.trials import MORE, Trials

DEPTH = 6
STARTS = (0, 1, 2, 4, 5, DEPTH)
Tried = tuple[int, bool, float]
"""Start, whether the tables change, and the share of the tolerance."""


class Known(Trials):
    """Trials whose leak and drift are known beforehand."""

    def _measured(self, attempt: Any) -> Trial:
        asked = attempt.asked if attempt.few else "all"
        leak, drift = self.attempts.known.get(asked, (0.9, 0.1))  # type: ignore[attr-defined]
        start, table, share = attempt.asked
        return Trial(start, leak, drift, table, share)


@pytest.fixture(autouse=True)
def layers(monkeypatch):
    monkeypatch.setattr(trials, "layers_from", lambda encoders, start: range(start, DEPTH))


def best(known: dict[Any, tuple[float, float]], *, tables: bool = False, starts=STARTS) -> tuple[Tried, list[Tried]]:
    """What is taken, and all that was tried, where each start is known to leave and move so much on few sentences."""
    taken, tried = found(known, tables=tables, starts=starts)
    return taken.asked, tried


def found(known: dict[Any, tuple[float, float]], *, tables: bool = False, starts=STARTS) -> tuple[Any, list[Tried]]:
    """The same with the whole attempt; `all` among the known is what the best start does on all sentences."""

    def attempt(start: int, *, table: bool, share: float, few: bool = False) -> Any:
        return SimpleNamespace(start=start, table=table, share=share, few=few, asked=(start, table, share))

    shared = SimpleNamespace(
        plan=SimpleNamespace(few={0}, pairs=range(9)),
        encoders=[SimpleNamespace(blocks=range(DEPTH))],
        swaps=tables,
        several=len(starts) + tables > 1,
        attempt=attempt,
        known=known,
    )
    taken, trial, tried = Known(shared, {}, None, []).best_of(starts)  # type: ignore[arg-type]
    assert (trial.start, trial.table, trial.share) == taken.asked  # type: ignore[attr-defined]
    return taken, [(each.start, each.table, each.share) for each in tried]


def test_more_of_the_tolerance_is_tried_at_the_best_start_alone():
    taken, tried = best({(1, False, 1.0): (0.2, 0.03), (1, False, MORE): (0.15, 0.1)})
    assert taken == (1, False, 1.0)
    assert [each for each in tried if each[2] == MORE] == [(1, False, MORE)]


def test_it_is_taken_where_it_leaves_much_less():
    taken, _ = best({(1, False, 1.0): (0.3, 0.03), (1, False, MORE): (0.1, 0.05)})
    assert taken == (1, False, MORE)


def test_it_is_tried_at_the_best_start_first():
    """From a start that is too shallow everything is worse, so trials in their order would never come to it."""
    less = {(0, False, 1.0): (0.9, 0.3), (1, False, 1.0): (0.8, 0.2), (2, False, 1.0): (0.7, 0.2)}
    taken, _ = best(less | {(4, False, 1.0): (0.46, 0.04), (4, False, MORE): (0.4, 0.07)})
    assert taken == (4, False, MORE)


def test_it_is_tried_at_every_start_where_too_much_is_left():
    known = {(0, False, 1.0): (0.7, 0.05), (1, False, MORE): (0.2, 0.1)}
    taken, tried = best(known)
    assert taken == (1, False, MORE)
    assert {start for start, _, share in tried if share == MORE} >= {0, 1, 2}


def test_start_depths_that_do_better_and_better_are_tried_to_the_best():
    """Seen at `red car -> car`: with more of the tolerance the first two move `red` too much, the third does not."""
    less = {(0, False, 1.0): (0.36, 0.094), (1, False, 1.0): (0.356, 0.104), (2, False, 1.0): (0.364, 0.1)}
    whole = {(0, False, MORE): (0.31, 0.7), (1, False, MORE): (0.335, 0.38), (2, False, MORE): (0.31, 0.12)}
    taken, _ = best(less | whole)
    assert taken == (2, False, MORE)


@pytest.mark.parametrize(("on_all", "kept"), [((0.34, 0.47), True), ((0.34, 0.11), False)])
def test_few_sentences_are_kept_where_all_of_them_move_much_more(on_all, kept):
    taken, _ = found({(0, False, 1.0): (0.36, 0.09), "all": on_all})
    assert taken.asked == (0, False, 1.0)
    assert taken.few is kept


def test_the_tables_alone_are_a_start():
    taken, tried = best({(DEPTH, True, 0.0): (0.15, 0.0), (0, True, 1.0): (0.12, 0.06)}, tables=True)
    assert taken == (DEPTH, True, 0.0)
    assert (0, True, 1.0) in tried


def test_a_best_start_that_was_tried_before_renews_the_patience():
    _, tried = best({(1, True, 1.0): (0.2, 0.03)}, tables=True)
    assert {start for start, table, share in tried if table and share == 1.0} >= {1, 2, 4}


def test_of_equal_starts_the_first_is_taken():
    taken, _ = best({(DEPTH, True, 0.0): (0.2, 0.02), (0, True, 1.0): (0.19999, 0.02)}, tables=True)
    assert taken == (DEPTH, True, 0.0)


def test_a_single_start_has_the_tolerance_that_was_asked_for():
    assert best({}, starts=(0,)) == ((0, False, 1.0), [(0, False, 1.0)])


def test_what_lies_beyond_what_pictures_forgive_counts_once_more():
    assert Trial(0, 0.3, 0.0).score == pytest.approx(0.3)
    assert Trial(0, 0.5, 0.0).score == pytest.approx(0.7)
    assert Trial(0, 0.0, 0.1).score == pytest.approx(0.2)
    assert Trial(0, 0.0, 0.3).score == pytest.approx(0.7)
