"""Concept erasure in closed form: knows torch, not ComfyUI and not where files live.

Read in this order: concept and concept_text (what to erase), solve (the maths of one layer), align, capture and
families (where features come from), plan (the batch of a solve), progressive (the driver), measure (leak and drift),
report, audit (a live model against what was), files.
"""

from .align import TokenRow
from .audit import Audit
from .concept import Concept, ConceptError, Request
from .concept_text import parse_request
from .container import FileError
from .families import FAMILIES, Encoder, Family, FamilyError, TextInput, family_of
from .kinds import KINDS
from .options import CHOICES, OptionError, Options
from .path import TextPath
from .progressive import solve_request
from .report import Report
from .solution import Solution
from .update import LowRankUpdate, UpdateSet
from .verify import NotErasedError, require_erased, verify

__all__ = [
    "CHOICES",
    "FAMILIES",
    "KINDS",
    "Audit",
    "Concept",
    "ConceptError",
    "Encoder",
    "Family",
    "FamilyError",
    "FileError",
    "LowRankUpdate",
    "NotErasedError",
    "OptionError",
    "Options",
    "Report",
    "Request",
    "Solution",
    "TextInput",
    "TextPath",
    "TokenRow",
    "UpdateSet",
    "family_of",
    "parse_request",
    "require_erased",
    "solve_request",
    "verify",
]
