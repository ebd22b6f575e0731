"""What chapters show: findings, the three columns, sounds, and what a result was made with."""

import base64
import io
import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile
from bs4 import BeautifulSoup

from dasheng_lib.book import (
    NOW,
    PUBLISHED,
    change,
    listed,
    provenance,
    standing,
    tally,
    three_columns,
)
from dasheng_lib.book.figures import sounds
from dasheng_lib.book.words import captions, verdicts
from dasheng_lib.book.words.findings import MIME, bundle
from dasheng_lib.book.words.sentences import complete
from dasheng_lib.book.words.sources import RECORDED, SOURCES
from dasheng_lib.commands.book import cell_seconds, find_root
from dasheng_lib.common.errors import UserError


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.label)
def test_headers_are_readable(source):
    light, dark = sorted((luminance(source.colour), luminance(source.ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_no_two_sources_share_anything_that_tells_them_apart():
    for attribute in ("label", "colour", "marker", "line"):
        assert len({getattr(source, attribute) for source in SOURCES}) == 3, attribute


def test_a_table_colours_and_explains_just_the_sources_it_has():
    table = pd.DataFrame({"published": [80.12, 72.5], "just now": [40.25, None], "clips": [1, 2]})
    styler = three_columns(table, "Table 5")
    page = BeautifulSoup(styler.to_html(), "html.parser")
    assert [tag.text for tag in page.select("thead th.col_heading")] == list(table.columns)
    css = page.style.text
    assert PUBLISHED.colour in css and NOW.colour in css and RECORDED.colour not in css
    assert "transcribed from the paper" in page.caption.text
    assert RECORDED.says not in page.caption.text
    cells = [tag.text for tag in page.select("tbody td")]
    assert cells == ["80.1", "40.2", "1", "72.5", "\u2013", "2"]
    assert three_columns(table, "Table 5").to_html() == styler.to_html()


def test_a_table_says_which_command_recorded_it():
    columns = pd.MultiIndex.from_product([["recorded", "just now"], ["knn", "linear"]])
    table = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=columns)
    page = three_columns(table, "T", recorded_by="dasheng evaluate <x>").to_html()
    assert "<code>dasheng evaluate &lt;x&gt;</code>" in page
    assert page.count(RECORDED.colour) >= 1


def test_markup_in_a_table_is_text():
    evil = "<script>x</script>"
    columns = pd.MultiIndex.from_tuples([("recorded", evil)], names=[evil, None])
    table = pd.DataFrame([[evil]], index=pd.Index([evil], name=evil), columns=columns)
    page = three_columns(table, f"{evil} & more", recorded_by=evil).to_html()
    assert "<script" not in page
    assert BeautifulSoup(page, "html.parser").text.count(evil) == 7
    assert table.index.name == evil, "the table itself stays as it is"
    assert "<script" not in captions.bundle(evil, "alt")["text/markdown"]


def test_a_table_without_a_source_or_a_caption_is_refused():
    with pytest.raises(ValueError, match="no column is named published, recorded, just now"):
        three_columns(pd.DataFrame({"ours": [1]}), "T")
    with pytest.raises(ValueError, match="caption"):
        three_columns(pd.DataFrame({"published": [1]}), " ")


def test_a_finding_is_for_eyes_terminals_and_the_driver():
    shown = bundle("Half & Half: 2!", "a < b")
    assert shown[MIME] == {
        "title": "Half & Half: 2!",
        "text": "a < b",
        "anchor": "finding-half-half-2",
    }
    assert 'id="finding-half-half-2"' in shown["text/html"]
    assert "a &lt; b" in shown["text/html"]
    assert shown["text/plain"] == "Half & Half: 2!: a < b"


def test_a_verdict_has_four_parts_and_one_of_four_answers():
    said = {"claim": "a < b", "evidence": "3 of 4", "mind": "a fifth"}
    shown = verdicts.bundle("One law", verdict="not", **said)
    assert shown[MIME] == {
        "title": "One law: not supported",
        "text": "3 of 4",
        "anchor": "finding-one-law",
    }
    for part in ("a &lt; b", "3 of 4", "not supported", "a fifth", 'id="finding-one-law"'):
        assert part in shown["text/html"]
    assert "What would change our mind: a fifth" in shown["text/plain"]
    with pytest.raises(ValueError, match="cannot tell"):
        verdicts.bundle("One law", verdict="maybe", **said)


def test_a_sentence_turns_with_its_numbers():
    assert change(43.0, 50.62) == "rises from 43.0 to 50.6"
    assert change(83.9, 16.5) == "falls from 83.9 to 16.5"
    assert change(0.412, 0.409, 2) == "stays at 0.41"
    for say in (
        captions.paragraph,
        partial(captions.bundle, alt="a line"),
        partial(bundle, "a title"),
    ):
        with pytest.raises(ValueError, match="a number is missing in 'loss falls from nan to 1'"):
            say("loss falls from nan to 1")
    complete("dasheng:nano", "finance", "nano")
    assert standing(0.53, 0.42, "lower", 2) == "behind"
    assert standing(0.40, 0.42, "lower", 2) == "ahead of"
    assert standing(40.0, 42.0) == "behind"
    assert standing(0.421, 0.419, "lower", 2) == "level with"
    with pytest.raises(ValueError, match="lowest"):
        standing(1, 2, "lowest")
    assert listed([]) == "none" and listed(["a"]) == "a" and listed("abc") == "a, b and c"


def test_a_tally_names_both_signs():
    gaps = {"FSDD, linear": -1.1, "FSDD, k-NN": -12.1, "ESC-10, linear": -5.0, "ESC-10, k-NN": 9.0}
    assert tally(gaps) == (
        "behind in 3 of 4 (FSDD, linear -1.1, FSDD, k-NN -12.1, ESC-10, linear -5.0), "
        "ahead in 1 (ESC-10, k-NN +9.0)"
    )
    assert tally({name: -gap for name, gap in gaps.items()}).startswith("ahead in 3 of 4 (FSDD, l")
    assert tally({"a": 1.0, "b": float("nan")}) == "ahead in 1 of 1 (a +1.0)"
    assert tally({"a": 0.04, "b": -0.04}) == "level in 2 of 2 (a, b)"
    assert tally({}) == "not compared"


def test_a_figure_has_a_caption_and_a_description():
    shown = captions.bundle("It *falls*.", "A line.")
    assert shown[captions.MIME] == {"caption": "It *falls*.", "alt": "A line."}
    assert shown["text/plain"] == "It *falls*."
    with pytest.raises(ValueError, match="caption and a description"):
        captions.bundle("It falls.", " ")


def test_a_sound_figure_holds_the_picture_the_sound_and_the_words():
    wave = np.sin(2 * np.pi * 1000 / 16_000 * np.arange(16_000)) * 1.5
    hidden = np.arange(25) < 10
    panels = [sounds.Sound('a "tone"', wave), sounds.Sound("less", wave[:100], hidden_T=hidden)]
    text = sounds.figure_html(panels)
    assert "\n\n" not in text, "one block in Markdown"
    first, second = BeautifulSoup(text, "html.parser").select("div.sounds > figure.sound")
    assert [tag.name for tag in first] == ["img", "audio", "figcaption"]
    assert first.audio["aria-label"] == first.figcaption.text == 'a "tone"'
    data = base64.b64decode(first.audio["src"].partition("base64,")[2])
    samples, rate = soundfile.read(io.BytesIO(data))
    assert rate == 16_000
    np.testing.assert_allclose(samples, wave.clip(-1, 1), atol=1e-4)
    said = re.match(r'Spectrogram of 1.0 s: a "tone". Most .* near (\d+) Hz.', first.img["alt"])
    assert 940 < int(said[1]) < 1060
    assert "40% of it is covered" in second.img["alt"]


@pytest.mark.parametrize(
    ("wave", "words", "says"),
    [
        (np.zeros(10), " ", "words"),
        (np.zeros((2, 10)), "x", "one channel"),
        (np.zeros(160_001), "x", "too long"),
    ],
)
def test_a_sound_that_would_not_do_is_refused(wave, words, says):
    with pytest.raises(ValueError, match=says):
        sounds.Sound(words, wave)


def test_provenance_is_plain_and_names_what_matters():
    made = provenance()
    assert json.loads(json.dumps(made)) == made
    assert {"commit", "python", "versions", "processor", "cores", "gpu"} <= set(made)
    assert made["versions"]["torch"] != "missing"


def test_the_limit_for_a_cell_suits_the_profile():
    assert cell_seconds("quick", None) == 3600
    assert cell_seconds("desk", None) is None
    assert cell_seconds("desk", 5) == 5
    assert cell_seconds("quick", 0) is None
    with pytest.raises(UserError, match="no time"):
        cell_seconds("quick", -1)


def test_the_book_is_found_from_within_and_from_elsewhere(tmp_path):
    root = tmp_path / "checkout"
    (root / "book/deep").mkdir(parents=True)
    (root / "_config.yml").touch()
    (root / "book/_toc.yml").touch()
    assert find_root(root / "book/deep") == root
    assert (find_root(tmp_path) / "dasheng_lib").is_dir()
