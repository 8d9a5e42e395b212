"""Requests to erase something from the mini model, in sentences that it knows."""

from __future__ import annotations

from erasepro_core import Request, parse_request

from .sentences import sentences


def mini_request(text: str, kind: str, preserve: str = "", everyday: str = "") -> Request:
    """What Define Concepts makes of these fields, with the mini model's own sentences alone."""
    return parse_request(text, kind, preserve, everyday, sentences(kind), only_own=True)
