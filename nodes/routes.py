"""Answers the concept editor while a user types: the error of each line, and the number of tokens of each name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from ..erasepro_core import ConceptError, parse_request
from ..erasepro_core.compound import left_out
from ..erasepro_core.concept import Concept, kind_named
from ..erasepro_core.concept_text import line_errors, line_names, lines_read
from ..erasepro_core.marks import BARS, split_lines
from .host import add_post_route, token_count

MAX_BYTES = 2**18
MAX_NAMES = 4096
"""Lines and aliases of the concepts, and of the preserves: so many can be answered at every keystroke."""
MAX_LENGTH = 400
"""Characters of a name whose tokens are counted; CLIP reads 75 tokens."""
EXPECTED = "text, kind and preserve are expected, all of them strings."


class QuestionError(ValueError):
    """A question that no editor asks."""


class TooLongError(ValueError):
    """A text that is too long to be checked while a user types."""


def add_routes() -> None:
    """Makes the host answer `POST /erasepro/concepts`."""
    add_post_route("/erasepro/concepts", _concepts)


async def _concepts(request: web.Request) -> web.Response:
    try:
        body = _parsed(await _read(request))
        text, kind, preserve = (_string(body, name) for name in ("text", "kind", "preserve"))
        others = [_string({name: ""} | body, name) for name in ("everyday", "sentences")]
        _refuse_many_names(text, preserve, *others)
        # In a thread, for the first call reads the tokenizer's files.
        return web.json_response(await asyncio.to_thread(explain, text, kind, preserve, *others))
    except TooLongError as error:
        return web.json_response({"error": str(error)}, status=413)
    except (ConceptError, QuestionError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def _read(request: web.Request) -> bytes:
    """The body, of which no more is read than may be; its length need not be said beforehand."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(2**16):
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLongError(f"the text is longer than {MAX_BYTES} bytes, too long to be checked while you type.")
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"the question is no JSON ({type(error).__name__}); {EXPECTED}") from error


def _string(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise QuestionError(f"{name} is {str(value)[:40]!r}; {EXPECTED}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise QuestionError(f"{name} has half a character ({error.reason}); {EXPECTED}") from error
    return value


def _refuse_many_names(*texts: str) -> None:
    for text in texts:
        if (names := len(split_lines(text)) + len(BARS.findall(text))) > MAX_NAMES:
            raise TooLongError(f"{names} names are too many to be checked while you type; at most {MAX_NAMES} are.")


def explain(text: str, kind: str, preserve: str, everyday: str = "", sentences: str = "") -> dict[str, Any]:
    """Checks a concept text for the editor.

    Returns:
        `lines`, by number: `error` (None if the line has none), `tokens`, the counts of the target and each alias,
        None for one too long to count, `read` and `names`, the line and its names as they are read (None and no names
        if it is no concept), and `left_out`, the words that its anchor only leaves out, if there are any;
        `default_anchor`, of the kind; `error`, of the text as a whole, None if it has none or if a line has one.
    """
    default_anchor = kind_named(kind).default_anchor
    errors, read = line_errors(text, kind, preserve), lines_read(text, kind)
    lines = {
        number: {
            "error": errors.get(number),
            "tokens": [_tokens(name) for name in line_names(line)],
            **_about(read[number]),
        }
        for number, line in enumerate(split_lines(text), start=1)
    }
    error = None if errors else _text_error(text, kind, preserve, everyday, sentences)
    return {"lines": lines, "default_anchor": default_anchor, "error": error}


def _about(concept: Concept | None) -> dict[str, Any]:
    """What is said of a line that is a concept, or of one that is none."""
    if concept is None:
        return {"read": None, "names": []}
    words = left_out(concept)
    return {"read": str(concept), "names": list(concept.names)} | ({"left_out": words} if words else {})


def _tokens(name: str) -> int | None:
    """The tokens of a name; of a very long one nobody needs to know, and CLIP's tokenizer would take minutes."""
    return token_count(name) if len(name) <= MAX_LENGTH else None


def _text_error(text: str, kind: str, preserve: str, everyday: str, sentences: str) -> str | None:
    """What is wrong with the text as a whole, such as no concept at all."""
    try:
        parse_request(text, kind, preserve, everyday, sentences)
    except ConceptError as error:
        return str(error)
    return None
