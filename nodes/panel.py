"""What a node sends to its panel on the page: text, and figures that the page draws (web/report.js)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..erasepro_core import Audit, Report
from ..erasepro_core.report import NOT_ERASED
from ..erasepro_core.vocabulary import Names


def report_panel(report: Report) -> dict[str, Any]:
    """The text and the figures of a report, with the leak above which a concept counts as not erased."""
    return {"text": (report.short(),), "erasepro_report": (report.as_dict() | {"limit": NOT_ERASED},)}


def audit_panel(result: Audit) -> dict[str, Any]:
    """The text and the figures of an audit, without its single sentences, of which there can be thousands."""
    figures = {name: value for name, value in result.as_dict().items() if name != "findings"}
    return {"text": (result.short(),), "erasepro_audit": (figures | {"there": result.failures()},)}


def names_panel(text: str, found: Sequence[Names]) -> dict[str, Any]:
    """What was found, as text and as names that Define Concepts shows below its lines."""
    names = [{"target": each.target, "likely": list(each.likely), "near": list(each.near)} for each in found]
    return {"text": (text,), "erasepro_names": (names,)}
