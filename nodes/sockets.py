"""The socket types of the pack, and the category of its nodes in the menu."""

import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

CATEGORY = "ErasePro"
Concepts = io.Custom("ERASEPRO_CONCEPTS")
"""Carries an erasepro_core.Request."""
Erasure = io.Custom("ERASEPRO_ERASURE")
"""Carries an erasepro_core.Report: the erasure with all its measures, from a solve or from a file."""
ALIASES = ["unlearn", "remove concept", "nudity", "NSFW", "uce", "LECO", "style removal"]
"""What people search for who do not know the names of our nodes."""


def known(maker: Callable[..., Any], **keywords: Any) -> dict[str, Any]:
    """Those keywords of a schema or an input that this host has; one that it lacks would keep the whole pack out."""
    return {name: value for name, value in keywords.items() if name in inspect.signature(maker).parameters}


def negative_prompt(**more: Any) -> io.Input:
    """The negative prompt of a graph; a host that can shows it among the advanced inputs."""
    advanced = known(io.String.Input, advanced=True)
    return io.String.Input("negative", display_name="negative prompt", multiline=True, default="", **more, **advanced)
