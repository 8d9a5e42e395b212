"""What the concept editor asks while someone types: is each line understood, and how many tokens has each name?"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ..erasepro_core import ConceptError, parse_request
from ..erasepro_core.concept import kind_named, line_errors, line_names
from .host import add_post_route, token_count


def add_routes() -> None:
    """Makes the host answer `POST /erasepro/concepts`."""
    add_post_route("/erasepro/concepts", _concepts)


async def _concepts(request: web.Request) -> web.Response:
    asked = await request.json()
    try:
        text, kind, preserve = (_string(asked, name) for name in ("text", "kind", "preserve"))
        # In a thread, for the first call reads the tokenizer's files.
        return web.json_response(await asyncio.to_thread(explained, text, kind, preserve))
    except (ConceptError, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)


def _string(asked: Any, name: str) -> str:
    value = asked.get(name) if isinstance(asked, dict) else None
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; text, kind and preserve are expected, all of them strings.")
    return value


def explained(text: str, kind: str, preserve: str) -> dict[str, Any]:
    """What the editor shows of a concept text.

    Returns:
        `lines`, by number: `error` (None when the line is understood) and `tokens`, of the target and each alias;
        `default_anchor`, of the kind; `error`, what is wrong with the text as a whole, if no line is to blame.
    """
    default_anchor = kind_named(kind).default_anchor
    errors = line_errors(text, kind, preserve)
    lines = {
        number: {"error": errors.get(number), "tokens": [token_count(name) for name in line_names(line)]}
        for number, line in enumerate(text.splitlines(), start=1)
    }
    return {"lines": lines, "default_anchor": default_anchor, "error": None if errors else _whole(text, kind, preserve)}


def _whole(text: str, kind: str, preserve: str) -> str | None:
    try:
        parse_request(text, kind, preserve)
    except ConceptError as error:
        return str(error)
    return None
