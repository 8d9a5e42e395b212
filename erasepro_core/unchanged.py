"""What a check need not encode in an edited model, where rows of its tables of tokens tell what a prompt gives."""

from __future__ import annotations

from collections.abc import Mapping

from .encoded import Encoded, encode_prompts
from .measure import before_and_after
from .path import Rows, TextPath
from .plan import Plan
from .prompts import some
from .table import SwappedPath, Swaps
from .update import RowUpdate, UpdateSet

SAMPLED = 8
"""So many of the prompts that changed tables cannot move are encoded to see that it is so."""
EQUAL = 1e-3
"""Features that differ by less than this share of their size are equal but for the rounding of a batch."""
ROUNDING = 1e-6
"""Rows of a table that differ by less than this share of their size are equal but for rounding."""


def what_cannot_move(
    updates: UpdateSet, models: tuple[TextPath, TextPath], plan: Plan, known: Encoded
) -> Mapping[str, Rows]:
    """Of the prompts that are only watched: where no layer of an encoder changes, those whose tokens keep their rows.

    A few of them are encoded in both models. If one of these moved, something else changed, and none is taken.

    Args:
        updates: of the erasure.
        models: the original and the edited one.
        plan: the prompts.
        known: what was encoded in the original.
    """
    path, edited = models
    if not all(isinstance(update, RowUpdate) for update in updates.text_encoder.values()):
        return {}
    still = dict(plan.watched)
    for encoder in path.encoders:
        if encoder.table in updates.text_encoder:
            used = sorted({token for rows in still.values() for token in rows[encoder.name].ids})
            before, after = (model.embeddings(encoder, used) for model in models)
            moved = {token for token, differs in zip(used, (before != after).any(1).tolist(), strict=True) if differs}
            still = {prompt: rows for prompt, rows in still.items() if moved.isdisjoint(rows[encoder.name].ids)}
    few = some(list(still), SAMPLED)
    if not few:
        return {}
    both = encode_prompts(path, few, known=known), encode_prompts(edited, few)
    compared = before_and_after(few, *both).values()
    return still if all(each.apart.norm() <= EQUAL * each.whole.norm() for each in compared) else {}


def with_equal_tokens_as_one(updates: UpdateSet, edited: TextPath) -> TextPath:
    """The edited model, which reads a token as the one whose row it has got, so that equal prompts are encoded once."""
    same: dict[str, dict[int, int]] = {}
    for encoder in edited.encoders:
        update = updates.text_encoder.get(encoder.table or "")
        if isinstance(update, RowUpdate) and update.sources:
            tokens = update.rows.tolist()
            rows, others = edited.embeddings(encoder, [*tokens, *update.sources]).chunk(2)
            equal = ((rows - others).norm(dim=1) <= ROUNDING * others.norm(dim=1)).tolist()
            both = zip(tokens, update.sources, equal, strict=True)
            same[encoder.name] = {token: other for token, other, as_one in both if as_one}
    return SwappedPath(edited, Swaps(same, ()))
