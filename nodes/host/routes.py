"""Addresses at which the running host answers for the pack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web


def add_post_route(address: str, answer: Callable[[web.Request], Awaitable[web.Response]]) -> None:
    """Makes the running host answer POST requests at an address."""
    from server import PromptServer  # exists in ComfyUI's own process only

    PromptServer.instance.routes.post(address)(answer)
