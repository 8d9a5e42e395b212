"""The pack's own socket types and the category its nodes stand in."""

from comfy_api.latest import io

CATEGORY = "ErasePro"
Concepts = io.Custom("ERASEPRO_CONCEPTS")
"""Carries an erasepro_core.Request."""
Erasure = io.Custom("ERASEPRO_ERASURE")
"""Carries an erasepro_core.Report: the erasure and everything that was measured of it, from a solve or from a file."""
