"""The rank slider says what the library says, and the chapter what the numbers say."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from browser import STATIC, in_browser
from chapter_cells import run_cell

from dasheng_lib.book.figures import plots_rank, rank_slider
from dasheng_lib.book.rank_traps import with_epsilon
from dasheng_lib.rank import RankMe, effective_rank, rankme
from dasheng_lib.results import read_results

CHOSEN = [(0.0, 8, 4), (1.0, 32, 64), (0.5, 16, 512), (2.5, 64, 32), (2.5, 64, 256)]


def test_the_rank_slider_computes_what_the_library_does(tmp_path):
    ask = f"""
        const r = rankSlider;
        return {[list(c) for c in CHOSEN]}.map(([decay, D, N]) => {{
            const rows = r.cloud(r.spectrum(decay, D), N, 1).map((row) => [...row]);
            return {{rows, ...r.measured(decay, D, N, 1e-3)}};
        }});"""
    found = in_browser(tmp_path, "", ["rank_slider.js"], ask)
    for (decay, D, N), js in zip(CHOSEN, found, strict=True):
        values_D = torch.arange(1.0, D + 1, dtype=torch.float64) ** -decay
        Z_ND = np.array(js["rows"])
        assert Z_ND.shape == (N, D)
        seen_D = RankMe(D).update(Z_ND).singular_values()
        assert js["exact"] == pytest.approx(effective_rank(values_D), rel=1e-9)
        assert js["added"] == pytest.approx(with_epsilon(values_D, 1e-3), rel=1e-9)
        assert js["few"] == pytest.approx(rankme(Z_ND), rel=1e-6)
        assert js["both"] == pytest.approx(with_epsilon(seen_D, 1e-3), rel=1e-6)
    rows = np.array(found[2]["rows"])
    assert abs(rows.mean()) < 0.02 and rows[:, 0].std() == pytest.approx(1, abs=0.1)


def test_the_rank_slider_is_labelled_and_says_its_numbers(tmp_path):
    ask = """
        const box = document.querySelector(".rank-slider");
        const inputs = [...box.querySelectorAll("input")];
        const said = box.querySelector("[aria-live]"), words = [said.textContent];
        for (const [place, value] of [[0, 0], [2, -1], [3, 6]]) {
            inputs[place].value = value;
            inputs[place].dispatchEvent(new Event("input", {bubbles: true}));
            words.push(said.textContent);
        }
        box.querySelector("button").click();
        words.push(said.textContent);
        const svg = box.querySelector("svg");
        const count = (name) => svg.querySelectorAll(name).length;
        return {words, bars: count("rect"), dots: count("circle"),
            alt: svg.getAttribute("aria-label"),
            labels: inputs.map((i) => i.labels.length && i.getAttribute("aria-valuetext")),
            open: box.querySelector("details").open};"""
    found = in_browser(tmp_path, rank_slider.slider_html(0), ["rank_slider.js"], ask)
    exact = effective_rank(1 / torch.arange(1.0, 65, dtype=torch.float64))
    numbers = [[float(n) for n in re.findall(r"\d+\.\d\d\b", words)] for words in found["words"]]
    assert numbers[0][0] == pytest.approx(exact, abs=0.006)
    assert numbers[1][0] == 64, "flat"
    assert "From 32 rows" in found["words"][2] and numbers[2][1] < 32
    assert numbers[3][2] > 64 and found["words"][4] != found["words"][3], "other rows"
    assert found["labels"] == ["0.00", "64", "0.5 (N = 32)", "1e-2"]
    assert not found["open"] and found["words"][-1] in found["alt"]
    assert (found["bars"], found["dots"]) == (65, 64)


def test_without_a_script_a_table_says_it():
    flat, *_, steep = rank_slider.table(0)
    assert flat[0] == pytest.approx(rank_slider.WIDTH) and steep[0] < 5
    for exact, few, many, added in (flat, steep):
        assert few < exact < added and abs(many - exact) < exact - few, "more rows, nearer"
    page = rank_slider.slider_html(0)
    assert "<details open>" in page and page.count("<td>") == 4 * len(rank_slider.DECAYS)
    assert page.count('scope="col"') == 5 and page.count('scope="row"') == len(rank_slider.DECAYS)


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.js")))
def test_scripts_are_small_and_fetch_nothing(name):
    source = (STATIC / name).read_text()
    assert len(source) < 12_000
    assert not re.search(r"fetch|XMLHttp|import\s|https?://(?!www\.w3\.org/2000/svg)", source)


def test_each_recorded_run_has_its_untrained_twin():
    twins = plots_rank.recorded_twins()
    rows = read_results(plots_rank.SWEEP)
    rows = rows[rows["family"] == "dasheng"]
    assert sorted(twins["run"]) == sorted(rows["run"].unique())
    assert twins.notna().all(axis=None)
    name = twins["run"].iloc[3]
    mine = rows[rows["run"] == name].sort_values("step")
    assert twins["quality"].iloc[3] == mine["quality"].iloc[-1]
    assert twins["rankme_untrained"].iloc[3] == mine["rankme"].iloc[0]


@pytest.mark.parametrize(
    ("untrained", "words"),
    [
        (0.3, "is not one of encoders in general"),
        (0.9, "no reason to keep untrained encoders out"),
    ],
)
def test_what_untrained_encoders_do_to_a_law_is_told_from_the_numbers(untrained, words):
    rank = np.array([10.0, 20.0, 40.0])
    twins = pd.DataFrame({"rankme": rank, "quality": 0.2 * rank**0.25, "run": list("abc")})
    twins = twins.assign(rankme_untrained=[60.0, 80.0, 90.0], quality_untrained=untrained)
    (text,), _ = run_cell("07", "law-words", twins=twins, pd=pd, np=np, fell=None, better_by=None)
    assert words in text and "a rank correlation of +1.00" in text
