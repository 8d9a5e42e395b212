"""Draws the pictures of the example workflows, as the Templates browser shows them, from runs on the mini model."""

import json

from PIL import Image

from tests.host.client import Client
from tests.host.demo import Bar, mini_example
from tests.host.server import comfyui
from tests.pack import ROOT

SIZE = 480


def main() -> None:
    """Writes example_workflows/*.jpg."""
    with comfyui() as url:
        client = Client(url)
        info = client.object_info()
        for example in sorted((ROOT / "example_workflows").glob("*.json")):
            result = client.queue(
                mini_example(info, json.loads(example.read_text()), batch=3), Bar(example.stem)
            ).checked()
            files = [file for files in result.images.values() for file in files]
            if files:
                square([client.image(file) for file in files]).save(example.with_suffix(".jpg"), quality=90)


def square(sheets: list[Image.Image]) -> Image.Image:
    """As many of the sheets below each other as make a square, on white."""
    width, height = sheets[0].size
    rows = sheets[: round(width / height)]
    whole = Image.new("RGB", (width, height * len(rows)), "white")
    for index, sheet in enumerate(rows):
        whole.paste(sheet, (0, index * height))
    return whole.resize((SIZE, SIZE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
