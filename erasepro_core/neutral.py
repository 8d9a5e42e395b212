"""Everyday prompts: what a model is usually asked for. Written for this pack; they name no artist, brand or person.

Every list is ordered so that a part of it from the front is as diverse as the whole: topics and registers alternate.
"""

from __future__ import annotations

from .texts import lines

FIT_PROMPTS = lines("everyday/fit")
"""Prompts whose features weigh the size of an update."""
LONG_PROMPTS = lines("everyday/long")
"""The same of 30 to 45 words, for text encoders that read long prompts."""
PROBE_PROMPTS = lines("everyday/probes")
"""Prompts that are never solved on: drift is measured here."""
