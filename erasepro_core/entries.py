"""The metadata entries of an erasure's file that are JSON, each writer beside its reader (docs/format.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from .checks import Check
from .concept import Concept, PromptPair, Request
from .concept_text import request_of, stored_line, stored_text
from .container import FileError, number, numbers_of, typed
from .options import OptionError, Options
from .phrase import clean
from .report import Report, Residual
from .solution import LayerRecord, Side, Trial

MAX_SENTENCE = 500
MAX_LINE = 20_000
"""Letters of all names of a concept: every case and spelling of them counts."""
MAX_SENTENCES = 100_000
"""Letters of all own sentences of a concept."""
Entry = Mapping[str, Any]


def written_request(request: Request) -> Entry:
    """The entry `request`."""
    return {
        "concepts": [_written_concept(concept) for concept in request.concepts],
        "preserves": request.preserves,
        "everyday": request.everyday,
    }


def _written_concept(concept: Concept) -> Entry:
    own = {"sentences": concept.sentences, "only_own": concept.only_own} if concept.sentences else {}
    found = {"found": concept.found} if concept.found else {}
    spoken = {"languages": concept.languages} if concept.languages else {}
    return {"text": stored_text(concept), "kind": concept.kind.name, **own, **found, **spoken}


def _read_concept(value: Entry, preserves: Sequence[str], everyday: Sequence[str]) -> Request:
    text, sentences = typed(value["text"], str), _texts(value.get("sentences", []))
    if len(text) > MAX_LINE or sum(map(len, sentences)) > MAX_SENTENCES:
        raise FileError(f"a concept of its request has more than {MAX_LINE} letters, or too many sentences.")
    more = {key: _texts(value.get(key, [])) for key in ("found", "languages")}
    concept = replace(stored_line(text, typed(value["kind"], str)), **more)
    return request_of([concept], preserves, everyday, sentences, value.get("only_own", False) is True)


def _texts(values: Any) -> tuple[str, ...]:
    """Lines of text, which were read before they were saved."""
    return tuple(clean(typed(each, str)) for each in typed(values, list))


def read_request(value: Entry) -> Request:
    """The request of the entry `request`."""
    preserves, everyday = _texts(value["preserves"]), _texts(value["everyday"])
    concepts = [_read_concept(concept, preserves, everyday) for concept in value["concepts"]]
    if not concepts:
        raise FileError("its request must name concepts one by one. Save the erasure again.")
    whole = concepts[0]
    for each in concepts[1:]:
        whole = whole.joined(each)
    return whole


def read_options(value: Entry) -> Options:
    """The options of the entry `options`, which holds `Options.as_dict`."""
    try:
        return Options.named(**{n: v if isinstance(v, bool) else typed(v, (str, int, float)) for n, v in value.items()})
    except OptionError as error:
        raise FileError(f"it was solved with options that this pack does not know: {error} Update ErasePro.") from error


def written_measures(report: Report) -> Entry:
    """The entry `measures`."""
    return {
        "leak_training": report.leak_training,
        "leak_unseen": report.leak_unseen,
        "leak_unlisted": report.leak_unlisted,
        "leak_found": report.leak_found,
        "drift": dict(report.drift),
        "moved": report.moved,
        "start": report.solution.start,
        "share": report.solution.share,
        "own_words": report.solution.own_words,
        "trials": [asdict(trial) for trial in report.solution.trials],
        "remarks": report.solution.remarks,
        "seconds": round(report.solution.seconds, 2),
    }


def read_measures(value: Entry, concepts: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry `measures`, as the parts of a Solution and of a Report that it holds."""
    solution = {
        "start": typed(value["start"], int),
        "share": number(value.get("share", 1.0)),
        "trials": tuple(map(_read_trial, value["trials"])),
        "own_words": tuple(typed(word, str)[:MAX_SENTENCE] for word in typed(value.get("own_words", []), list)),
        "remarks": tuple(typed(line, str)[:MAX_SENTENCE] for line in typed(value.get("remarks", []), list)),
        "seconds": number(value["seconds"]),
    }
    report = {
        "leak_training": numbers_of(value["leak_training"], concepts),
        "leak_unseen": numbers_of(value["leak_unseen"], concepts),
        "leak_unlisted": _leaks(value.get("leak_unlisted", [None] * concepts), concepts),
        "leak_found": _of_each(value.get("leak_found", [[]] * concepts), concepts),
        "drift": {typed(name, str): number(moved) for name, moved in value["drift"].items()},
        "moved": {typed(group, str): _moved(moved) for group, moved in value.get("moved", {}).items()},
    }
    return solution, report


def _read_trial(value: Entry) -> Trial:
    start, table = typed(value["start"], int), value.get("table", False) is True
    return Trial(start, number(value["leak"]), number(value["drift"]), table, number(value.get("share", 1.0)))


def _leaks(values: Any, count: int) -> tuple[float | None, ...]:
    """One a concept; null where there was nothing to measure."""
    known = iter(numbers_of([value for value in typed(values, list) if value is not None]))
    leaks = tuple(None if value is None else next(known) for value in values)
    if len(leaks) != count:
        raise ValueError(f"{len(leaks)} leaks where {count} are expected")
    return leaks


def _of_each(values: Any, count: int) -> tuple[tuple[tuple[str, float], ...], ...]:
    """Names with a number, of each concept."""
    found = tuple(map(_moved, typed(values, list)))
    if len(found) != count:
        raise ValueError(f"{len(found)} lists of names where {count} are expected")
    return found


def _moved(values: Any) -> tuple[tuple[str, float], ...]:
    return tuple((typed(name, str)[:MAX_SENTENCE], number(drift)) for name, drift in typed(values, list))


def written_layer(report: Report, record: LayerRecord) -> Entry:
    """One item of the entry `layers`."""
    left = report.residuals[record.name]
    return {
        "side": record.side.value,
        "name": record.name,
        "depth": record.depth,
        "gap": record.gap,
        "required": record.required,
        "size": record.size,
        "rank": record.rank,
        "condition": record.condition,
        "residual_kept": left.kept,
        "residual_all": left.all,
        "fingerprint": report.fingerprints.get(record.name, ()),
    }


def read_layer(value: Entry) -> LayerRecord:
    """What a layer needed and got; which mixes of tokens it holds is not in a file."""
    sides = [side.value for side in Side]
    if value["side"] not in sides:
        raise FileError(f"its metadata names a layer on no side of a model; the sides are {', '.join(sides)}.")
    return LayerRecord(
        side=Side(value["side"]),
        name=typed(value["name"], str),
        depth=typed(value["depth"], int),
        gap=number(value["gap"]),
        required=number(value["required"]),
        size=number(value["size"]),
        rank=typed(value["rank"], int),
        condition=math.nan if value["condition"] is None else number(value["condition"]),
        kept=torch.zeros(0, 0),
    )


def read_residual(value: Entry) -> Residual:
    """The residual of one item of the entry `layers`."""
    return Residual(number(value["residual_kept"]), number(value["residual_all"]))


def read_fingerprints(values: Sequence[Entry]) -> dict[str, tuple[float, ...]]:
    """The fingerprints of the entry `layers`, by layer name."""
    return {value["name"]: numbers_of(value["fingerprint"], 2) for value in values if value["fingerprint"]}


def written_check(check: Check) -> Entry:
    """One item of the entry `checks`."""
    return {
        "concept": check.pair.concept,
        "name": check.pair.target,
        "template": check.pair.template,
        "target": check.target.tolist(),
        "anchor": check.anchor.tolist(),
    }


def read_check(value: Entry, request: Request) -> Check:
    """The check of one item of the entry `checks`."""
    index, template = typed(value["concept"], int), typed(value["template"], str)
    concept = dict(enumerate(request.concepts))[index]
    if value["name"] not in concept.names or "{}" not in template or len(template) > MAX_SENTENCE:
        raise FileError("one of its checks is not about its concepts. Save the erasure again.")
    target, anchor = (torch.tensor([numbers_of(row) for row in typed(value[k], list)]) for k in ("target", "anchor"))
    if target.ndim != 2 or target.shape != anchor.shape or not target.numel():
        raise FileError("one of its checks has sketches of different sizes. Save the erasure again.")
    return Check(PromptPair(template, value["name"], concept.anchor, index), target, anchor)
