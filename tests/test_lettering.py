"""The letters of plots: drawn by a font that has them, else romanised or named by number. Never as boxes."""

import warnings

import pytest

matplotlib = pytest.importorskip("matplotlib")

from erasepro_core import lettering  # noqa: E402
from erasepro_core.lettering import drawable, fonts_for  # noqa: E402

LABELS = ["猫 -> 犬", "ピカチュウ", "고양이", "แมว", "Ван Гог", "chat", "🐱"]


def missing_glyphs(labels: list[str], fonts: list[str]) -> list[str]:
    """What matplotlib warns of when it draws the labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), labels, fontfamily=fonts)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        FigureCanvasAgg(figure).draw()
    return [str(each.message) for each in caught if "missing" in str(each.message)]


def test_no_label_is_drawn_as_boxes_with_the_fonts_of_this_machine():
    assert missing_glyphs(["猫 -> 犬"], ["DejaVu Sans"])  # the usual font alone draws boxes
    fonts = fonts_for("".join(LABELS))
    assert missing_glyphs(drawable(LABELS, fonts), fonts) == []


def test_without_a_font_letters_are_romanised_or_named_by_number(monkeypatch):
    monkeypatch.setattr(lettering, "_installed", lambda: ())
    fonts = fonts_for("".join(LABELS))
    assert fonts == ["DejaVu Sans"]
    assert drawable(LABELS, fonts)[:6] == ["name 1", "pikatiyuu", "goyangi", "name 4", "Ван Гог", "chat"]
    assert missing_glyphs(drawable(LABELS, fonts), fonts) == []
