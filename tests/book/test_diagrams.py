"""The book's diagrams: for eyes, screen readers and phones, and true to the code."""

import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest

from dasheng_lib.features import HOP, MELS, SAMPLE_RATE, WINDOW
from dasheng_lib.model.encoder import PATCH
from dasheng_lib.model.slowfast_nfnet import FAST, SLOW, TIME_RATIO, SlowFastNFNet
from dasheng_lib.rank.effective import rankme

BOOK = Path(__file__).parents[2] / "book"
DIAGRAMS = sorted((BOOK / "diagrams").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
PHONE = 358  # px that a page 390 px wide leaves to its text
BACKGROUNDS = ("#ffffff", "#121212")  # of the theme, light and dark
every_diagram = pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)


def read(name):
    return ElementTree.parse(BOOK / "diagrams" / f"{name}.svg").getroot()


def words(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def numbers(svg):
    """All that stand in its words, but for those of stages."""
    said = " ".join(word for word in words(svg) if not word.startswith("stage"))
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", said)}


def contrast(colour, background):
    """WCAG's ratio, 1 to 21."""

    def luminance(colour):
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    dark, light = sorted((luminance(colour), luminance(background)))
    return (light + 0.05) / (dark + 0.05)


@every_diagram
def test_a_diagram_is_told_to_a_screen_reader(path):
    svg = read(path.stem)
    assert svg.get("role") == "img" and svg.get("class") == "diagram"
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title.text and len(description.text) > 80
    assert svg.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert all(e.get("id", "diagram").startswith("diagram") for e in svg.iter()), "unique on a page"


@every_diagram
def test_the_words_of_a_diagram_can_be_read_on_a_phone_and_stay_inside(path):
    svg = read(path.stem)
    _, _, width, height = map(float, svg.get("viewBox").split())
    shift = {"start": 0, "middle": 0.5}
    for group in svg.findall(f"{SVG}g"):
        for text in group:
            size = float(text.get("font-size") or svg.get("font-size"))
            assert size * PHONE / width >= 8, text.text
            long = 0.6 * size * len(text.text)  # by a wide face
            left = float(text.get("x")) - shift[group.get("text-anchor", "start")] * long
            assert left >= 0 and left + long <= width, text.text
            assert size <= float(text.get("y")) <= height, text.text


@every_diagram
def test_a_diagram_needs_nothing_from_outside_and_is_light(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 12_000
    inside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"href|url\(|://|@import|<(script|style|image|foreignObject)", inside)


@every_diagram
def test_a_diagram_can_be_seen_in_both_themes(path):
    for colour in re.findall(r"#[0-9A-F]{6}", path.read_text(encoding="utf-8")):
        assert min(contrast(colour, background) for background in BACKGROUNDS) >= 3, colour


def test_each_diagram_is_shown_once():
    pages = [path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")]
    for path in BOOK.glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        pages += [cell.source for cell in cells if cell.cell_type == "markdown"]
    shown = re.findall(r"^:file: diagrams/(\w+)\.svg$", "\n".join(pages), re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert set(shown) == {path.stem for path in DIAGRAMS}


def test_the_numbers_of_the_front_end_are_the_codes():
    ms = 1000 / SAMPLE_RATE
    assert numbers(read("tokens")) == {
        SAMPLE_RATE / 1000,
        WINDOW * ms,
        HOP * ms,
        MELS,
        PATCH // MELS,
        PATCH,
        PATCH // MELS * HOP * ms,
    }


def test_the_numbers_of_the_two_paths_are_the_codes():
    dim = SlowFastNFNet(16, final_conv=False).dim * 16
    assert numbers(read("slowfast")) == {*SLOW.widths, *FAST.widths, TIME_RATIO, dim}


def test_the_ranks_under_the_spectra_are_theirs():
    svg = read("rank")
    bars = [(float(bar.get("x")), float(bar.get("height"))) for bar in svg.iter(f"{SVG}rect")]
    for text in svg.iter(f"{SVG}text"):
        if re.fullmatch(r"\d\.\d", text.text):
            middle = float(text.get("x"))
            heights = [height for x, height in bars if abs(x - middle) < 60]
            assert abs(rankme(np.diag(heights)) - float(text.text)) <= 0.05
