"""Concept erasure in closed form: knows torch, not ComfyUI and not where files live.

Read in this order: concept (what to erase), solve (the maths of one layer), align, capture and families (where features
come from), plan (the batch of a solve), progressive (the driver), measure (leak and drift), report, audit (a live
model against what was), files.
"""

from .align import TokenRow
from .audit import Audit
from .concept import KINDS, Concept, ConceptError, Request, parse_request
from .families import FAMILIES, Encoder, Family, FamilyError, TextInput, family_of
from .files import FileError
from .path import TextPath
from .plan import METHODS, PRESERVES, SCHEDULES, WHERE, Options
from .progressive import Solution, solve_request
from .report import NotErasedError, Report, check
from .update import Erasure, LowRankUpdate

__all__ = [
    "FAMILIES",
    "KINDS",
    "METHODS",
    "PRESERVES",
    "SCHEDULES",
    "WHERE",
    "Audit",
    "Concept",
    "ConceptError",
    "Encoder",
    "Erasure",
    "Family",
    "FamilyError",
    "FileError",
    "LowRankUpdate",
    "NotErasedError",
    "Options",
    "Report",
    "Request",
    "Solution",
    "TextInput",
    "TextPath",
    "TokenRow",
    "check",
    "family_of",
    "parse_request",
    "solve_request",
]
