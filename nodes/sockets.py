"""The socket types of the pack, and the category of its nodes in the menu."""

from comfy_api.latest import io

CATEGORY = "ErasePro"
Concepts = io.Custom("ERASEPRO_CONCEPTS")
"""Carries an erasepro_core.Request."""
Erasure = io.Custom("ERASEPRO_ERASURE")
"""Carries an erasepro_core.Report: the erasure with all its measures, from a solve or from a file."""
