"""Draws the pictures of the example workflows, as the Templates browser shows them, from runs on the mini model."""

import json
import shutil
import sys
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from tests.host.client import ApiGraph, Client
from tests.host.demo import Bar, mini_example
from tests.host.server import comfyui
from tests.host.workflow import with_file
from tests.pack import ROOT

SIZE = 480
PICTURE = 16
"""Width of what the mini model draws."""
EXAMPLES = ROOT / "example_workflows"
SIDES = 2 * PICTURE
"""Width of a sheet with the original on the left and the erased picture on the right; a labelled grid is wider."""
COPIES = ROOT / "web" / "docs" / "images"
"""The page serves help pages from web/ alone, so the pictures they show lie there as well."""


def main(names: list[str]) -> None:
    """Writes example_workflows/*.jpg, all or those named, and the copies of those that help pages show."""
    with comfyui() as url:
        client = Client(url)
        info = client.object_info()
        for name in names or sorted(path.stem for path in EXAMPLES.glob("*.json")):
            result = client.queue(graph_of(client, info, name), Bar(name)).checked()
            files = [file for files in result.images.values() for file in files]
            picture = EXAMPLES / f"{name}.jpg"
            sheets = [client.image(file) for file in files]
            (fitted(sheets[0]) if sheets[0].width > SIDES else labelled(square(sheets), sheets[0].width)).save(
                picture, quality=90
            )
            if (COPIES / picture.name).exists():
                shutil.copyfile(picture, COPIES / picture.name)


def graph_of(client: Client, info: dict[str, Any], name: str) -> ApiGraph:
    """The graph of an example that draws its picture."""
    workflow = json.loads((EXAMPLES / f"{name}.json").read_text())
    if name == "save_and_load":
        saved = client.queue(mini_example(info, workflow), Bar(f"{name}, first step")).checked()
        (file,) = (text.splitlines()[0] for text in saved.texts.values() if text.startswith("erasepro/"))
        workflow = with_file(workflow, file.removeprefix("erasepro/"))
    return mini_example(info, workflow, batch=4)


def square(sheets: list[Image.Image]) -> Image.Image:
    """As many of the sheets below each other as make a square, on white; single pictures in two columns."""
    width, height = sheets[0].size
    columns = 2 if width == PICTURE else 1
    rows = round(columns * width / height)
    whole = Image.new("RGB", (width * columns, height * rows), "white")
    for index, sheet in enumerate(sheets[: columns * rows]):
        whole.paste(sheet, (index % columns * width, index // columns * height))
    return whole.resize((SIZE, SIZE), Image.Resampling.NEAREST)


def labelled(picture: Image.Image, width: int) -> Image.Image:
    """The thumbnail with what each side is, if it has two."""
    if width != SIDES:
        return picture
    font = ImageFont.load_default(30)
    draw = ImageDraw.Draw(picture)
    for text, side in (("before", 0), ("after", SIZE // 2)):
        box = draw.textbbox((side + 8, 4), text, font=font)
        draw.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), "white")
        draw.text((side + 8, 4), text, "black", font)
    return picture


def fitted(sheet: Image.Image) -> Image.Image:
    """A labelled grid as large as the thumbnail allows, on white."""
    scale = SIZE / max(sheet.size)
    small = sheet.convert("RGB").resize((round(sheet.width * scale), round(sheet.height * scale)))
    whole = Image.new("RGB", (SIZE, SIZE), "white")
    whole.paste(small, ((SIZE - small.width) // 2, (SIZE - small.height) // 2))
    return whole


if __name__ == "__main__":
    main(sys.argv[1:])
