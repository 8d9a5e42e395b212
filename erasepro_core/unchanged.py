"""What a check need not encode in an edited model, where rows of its tables of tokens tell what a prompt gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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


def with_equal_rows(updates: UpdateSet, models: tuple[TextPath, TextPath], plan: Plan) -> Mapping[str, Rows]:
    """Of the prompts that are only watched: where no layer of an encoder changes, those whose tokens keep their rows.

    Args:
        updates: of the erasure.
        models: the original and the edited one.
        plan: the prompts.
    """
    if not all(isinstance(update, RowUpdate) for update in updates.text_encoder.values()):
        return {}
    still = dict(plan.watched)
    for encoder in models[0].encoders:
        if encoder.table in updates.text_encoder:
            used = sorted({token for rows in still.values() for token in rows[encoder.name].ids})
            before, after = (model.embeddings(encoder, used) for model in models)
            moved = {token for token, differs in zip(used, (before != after).any(1).tolist(), strict=True) if differs}
            still = {prompt: rows for prompt, rows in still.items() if moved.isdisjoint(rows[encoder.name].ids)}
    return still


def sampled(prompts: Iterable[str]) -> list[str]:
    """A few of some prompts, by which all of them are judged."""
    return some(list(prompts), SAMPLED)


def none_moved(prompts: Sequence[str], before: Encoded, edited: TextPath) -> bool:
    """Whether some prompts are in an edited model what they were before; if not, something else changed as well."""
    compared = before_and_after(prompts, before, encode_prompts(edited, prompts)).values() if prompts else ()
    return all(each.apart.norm() <= EQUAL * each.whole.norm() for each in compared)


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
