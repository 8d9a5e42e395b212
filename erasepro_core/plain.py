"""Plain values, as JSON has them. Whatever leaves the pack as JSON goes through here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any, digits: int | None = None) -> Any:
    """Mappings, lists, texts, numbers and None; a number that JSON has not, such as not-a-number, becomes None.

    Args:
        digits: to how many significant digits numbers are rounded; None keeps them all.
    """
    if isinstance(value, Mapping):
        return {key: plain(each, digits) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each, digits) for each in value]
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")


def as_json(value: Any, *, digits: int | None = None, indent: int | None = None) -> str:
    """The same as JSON text; compact unless it is indented."""
    separators = (",", ":") if indent is None else None
    return json.dumps(plain(value, digits), ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
