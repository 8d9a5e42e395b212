"""The table of spellings: what a person types, what happens, and its test. Writes docs/spellings.md from table.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.pack import ROOT

DOCUMENT = ROOT / "docs" / "spellings.md"
ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "table.json").read_text())
HEAD = """# What is read of what people type

Every row is one text in one field, and a test: `tests/spellings/test_table.py` reads it in Python,
`tests/host/test_spelling_tokens.py` compares it with the tokens that ComfyUI's own tokenizers make of prompts (CLIP,
T5, Pile T5, Llama, Qwen, the BERT and the mT5 of HunyuanDiT, ByT5; mT5's pieces come with a checkpoint, here a small
file of them), and `tests/browser/ui.test.mjs` reads it in the page. The rows
stand in `tests/spellings/table.json`; `python -m tests.spellings.table` writes this page. Characters that cannot be
seen are written as `\\\\u` and their number.

A text that is *refused* stops with an error that names the line, what stands there and what to write instead.

| row | field | text | what happens | read as | found in prompts |
| --- | --- | --- | --- | --- | --- |
"""


def document() -> str:
    """The page."""
    return HEAD + "".join(map(_line, ROWS))


def _line(row: dict[str, Any]) -> str:
    read = ", ".join(map(_code, row["read"])) if row.get("read") else ""
    anchor = f" -> {_code(row['anchor'])}" if "anchor" in row else ""
    happens = "refused" if "refused" in row else row["happens"]
    prompts = ", ".join(map(_code, [*row.get("prompts", []), *row.get("found", [])]))
    cells = row["id"], row["field"], _code(row["text"]), happens, read + anchor, prompts
    return f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    """As code in a cell; what cannot be seen by its number."""
    shown = "".join(
        c if c.isprintable() and c not in "\u3000\u00a0\u2011\u0301\ufffd\ufe0f" else f"\\u{ord(c):04x}" for c in text
    )
    return f"`{shown}`".replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(document())
