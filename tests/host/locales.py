"""What locales/en/nodeDefs.json says: the schema's own texts. `python -m tests.host.locales` writes it anew."""

import json
from typing import Any

from tests.pack import ROOT

LOCALES = ROOT / "locales"
SPECIAL = set("{}|@")
"""Letters that mean something in the page's translations. Texts with one are shown right only from the schema."""


def english(info: dict[str, Any]) -> dict[str, Any]:
    """Names, descriptions and tooltips of our nodes, as the page reads them, from the server's description."""
    return {type: _node(node) for type, node in sorted(info.items()) if type.startswith("ErasePro_")}


def _node(node: dict[str, Any]) -> dict[str, Any]:
    specs = {name: spec for group in node["input"].values() for name, spec in group.items() if len(spec) > 1}
    inputs = {name: _texts(spec[1].get("display_name") or name, spec[1].get("tooltip")) for name, spec in specs.items()}
    tooltips = node.get("output_tooltips") or [None] * len(node["output_name"])
    outputs = {
        str(index): {"name": name, "tooltip": tip}
        for index, (name, tip) in enumerate(zip(node["output_name"], tooltips, strict=True))
    }
    texts = {"display_name": node["display_name"], "description": node["description"]}
    return texts | {"inputs": inputs, "outputs": outputs}


def _texts(name: str, tooltip: str | None) -> dict[str, str]:
    texts = {"name": name, "tooltip": tooltip or ""}
    return {key: text for key, text in texts.items() if not SPECIAL & set(text)}


def main() -> None:
    """Asks a running ComfyUI and writes the file."""
    from tests.host.client import Client
    from tests.host.server import comfyui

    with comfyui() as url:
        texts = english(Client(url).object_info())
    (LOCALES / "en" / "nodeDefs.json").write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
