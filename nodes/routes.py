"""Answers the concept editor while a user types: the error of each line, and the number of tokens of each name."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ..erasepro_core import ConceptError, parse_request
from ..erasepro_core.concept import kind_named
from ..erasepro_core.concept_text import line_errors, line_names, lines_read
from ..erasepro_core.marks import split_lines
from .host import add_post_route, token_count


def add_routes() -> None:
    """Makes the host answer `POST /erasepro/concepts`."""
    add_post_route("/erasepro/concepts", _concepts)


async def _concepts(request: web.Request) -> web.Response:
    body = await request.json()
    try:
        text, kind, preserve = (_string(body, name) for name in ("text", "kind", "preserve"))
        others = [_string({name: ""} | body, name) for name in ("everyday", "sentences")]
        # In a thread, for the first call reads the tokenizer's files.
        return web.json_response(await asyncio.to_thread(explain, text, kind, preserve, *others))
    except (ConceptError, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)


def _string(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; text, kind and preserve are expected, all of them strings.")
    return value


def explain(text: str, kind: str, preserve: str, everyday: str = "", sentences: str = "") -> dict[str, Any]:
    """Checks a concept text for the editor.

    Returns:
        `lines`, by number: `error` (None if the line has none), `tokens`, the counts of the target and each alias, and
        `read` and `names`, the line and its names as they are read (None and no names if it is no concept);
        `default_anchor`, of the kind; `error`, of the text as a whole, None if it has none or if a line has one.
    """
    default_anchor = kind_named(kind).default_anchor
    errors, read = line_errors(text, kind, preserve), lines_read(text, kind)
    lines = {
        number: {
            "error": errors.get(number),
            "tokens": [token_count(name) for name in line_names(line)],
            "read": str(concept) if (concept := read[number]) else None,
            "names": list(concept.names) if concept else [],
        }
        for number, line in enumerate(split_lines(text), start=1)
    }
    error = None if errors else _text_error(text, kind, preserve, everyday, sentences)
    return {"lines": lines, "default_anchor": default_anchor, "error": error}


def _text_error(text: str, kind: str, preserve: str, everyday: str, sentences: str) -> str | None:
    """What is wrong with the text as a whole, such as no concept at all."""
    try:
        parse_request(text, kind, preserve, everyday, sentences)
    except ConceptError as error:
        return str(error)
    return None
