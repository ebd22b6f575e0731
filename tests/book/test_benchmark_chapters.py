"""ARCH and HARES in the chapters: tasks as declared, tables, recorded rows, and words that turn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from chapter_cells import run_cell

from dasheng_lib.book import benchmark_pairs, benchmark_words, benchmarks, own_words, three_columns
from dasheng_lib.book.figures import plots, plots_benchmarks
from dasheng_lib.results import as_printed, by_fold, read_results, read_table
from dasheng_lib.results.order import places_without_each
from dasheng_lib.results.pairs import Gain, Pair, gain, word
from dasheng_lib.tasks.arch import ARCH

PAIRS = {
    "arch": (
        *benchmark_pairs.ARCH_DATA,
        *benchmark_pairs.ARCH_TARGETS,
        *benchmark_pairs.ARCH_SIZE,
    ),
    "hares": (
        *benchmark_pairs.HARES_SIMCLR,
        *benchmark_pairs.HARES_SLOWFAST,
        *benchmark_pairs.HARES_NORMS,
    ),
}


@pytest.mark.parametrize("benchmark", PAIRS)
def test_pairs_and_tables_have_the_same_names(benchmark):
    scores, tasks = benchmarks.published(benchmark), benchmarks.declared(benchmark)
    assert list(scores) == list(tasks.index) == list(benchmarks.domains_of(benchmark))
    assert len(scores) == {"arch": 14, "hares": 20}[benchmark]
    for pair in PAIRS[benchmark]:
        assert {pair.before, pair.after} <= set(scores.index) and pair.before != pair.after
    for name, home in benchmark_pairs.HARES_SPECIALISTS.items():
        assert benchmark == "arch" or (name in scores.index or "CPC" in name)
        assert home in benchmarks.DOMAINS


def test_splits_are_told_by_the_rules_themselves():
    told = {name: benchmarks.splits(task.part) for name, task in ARCH.items()}
    assert told == {
        "esc50": "official folds in turn",
        "us8k": "official folds in turn",
        "fsd50k": "official split",
        "vivae": "speakers in turn",
        "fma_small": "split at random, 10% test",
        "magna_tag_a_tune": "official split",
        "irmas": "official split",
        "medleydb": "official split",
        "ravdess": "split at random, 20% test",
        "audio_mnist": "official folds in turn",
        "slurp": "official split",
        "emovo": "speakers in turn",
    }


def test_what_is_declared_of_a_task():
    arch, hares = (benchmarks.declared(name) for name in ("arch", "hares"))
    assert arch.at["EMOVO", "hours"] == pytest.approx(588 * 5 / 3600)
    assert arch.at["FSD50K", "measure"] == "mAP"
    assert hares["how"].to_dict() == {
        "AudioSet": "10 crops of 3 s, 512 hidden units",
        "Birdsong": "pieces of 1 s, linear",
        "TUT18": "pieces of 5 s, linear",
        "ESC-50": "whole clips, SVM",
        "SC1": "pieces of 1 s, linear",
        "SC2": "pieces of 1 s, linear",
        "Fluent": "pieces of 3 s, linear",
        "VoxForge": "pieces of 3 s, linear",
        "VoxCeleb": "pieces of 3 s, linear",
        "NSynth instr": "whole clips, linear",
        "NSynth pitch": "pieces of 1 s, linear",
        "MTT": "pieces of 3 s, linear",
    }
    assert hares["hours"].isna().all()


def test_a_table_is_filtered_and_sorted():
    assert benchmarks.chosen("hares", "music", "MTT") == ["NSynth instr", "NSynth pitch"]
    assert len(benchmarks.chosen("arch")) == 12
    scores = benchmarks.published("arch")
    columns = benchmarks.chosen("arch", "speech", "A-MNIST")
    table = benchmarks.explored(scores, columns)
    assert table["just now", "mean of 3"].is_monotonic_decreasing
    assert table.index[0] == scores[columns].mean(axis=1).idxmax()
    by_task = benchmarks.explored(scores, columns, "A-MNIST")  # though it is left out
    assert list(by_task.index) == list(scores["A-MNIST"].sort_values(ascending=False).index)


def test_a_table_to_be_sorted_has_one_row_of_headings_over_its_cells():
    """sortable.js takes the last row of headings, and the place in it for the column."""
    table = benchmarks.explored(benchmarks.published("arch"), benchmarks.chosen("arch"))
    page = BeautifulSoup(three_columns(table, "ARCH").to_html(), "html.parser")
    heads = page.thead.find_all("tr")[-1].find_all("th")
    assert [head.text.strip() for head in heads][-12:] == list(benchmarks.domains_of("arch"))
    assert len(heads) == len(page.tbody.tr.find_all(["th", "td"]))


def test_a_hidden_layer_is_printed_above_one_linear_layer():
    heads = as_printed(read_table("arch_heads"))
    assert heads.shape == (5, 6) and set(heads.index) <= set(benchmarks.published("arch").index)
    for task in ("ESC-50", "FMA", "RAVDESS"):
        assert (heads[f"{task} hidden layer"] > heads[f"{task} linear"]).all()


def test_recorded_scores_have_intervals_over_folds_and_over_seeds():
    rows = [
        ("e", seed, fold, 0.1 * fold + 0.01 * seed) for seed in (0, 1) for fold in (1, 2, 3)
    ] + [("f", 0, fold, 0.5) for fold in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["encoder", "seed", "fold", "score"])
    found = benchmarks.recorded_scores(table)
    assert list(found.index) == ["f", "e"] and found.at["e", "score"] == pytest.approx(20.5)
    half = 4.302653 * 10 / 3**0.5
    assert found.loc["e", ["low", "high"]].tolist() == pytest.approx([20.5 - half, 20.5 + half])
    assert found.at["e", "seeds"].startswith("14.1")  # t of one degree: 12.706 x 0.5
    assert found.at["f", "seeds"] == ""


def test_recorded_rows_stand_beside_the_printed_ones_of_their_tasks():
    rows = [("esc50", "e", "hares-svm", 0, f"{fold}", "top1_acc", 0.5) for fold in (1, 2)]
    rows += [("voxceleb", "e", "hares", 0, "test", "top1_acc", 0.25)]
    names = ["task", "encoder", "probe", "seed", "fold", "metric", "score"]
    printed = benchmarks.published("hares")
    row = "SF NFNet-F0 SimCLR"
    both = benchmarks.beside_printed("hares", printed, row, pd.DataFrame(rows, columns=names))
    assert both["published", row].tolist() == [91.1, 64.9]
    assert both["recorded", "score"].tolist() == [50.0, 25.0]


def test_a_pooled_accuracy_and_second_metrics_are_no_folds(tmp_path):
    names = ["task", "fold", "metric", "score"]
    rows = [("a", "1", "mAP", 0.5), ("a", "1", "weighted_mAP", 0.9), ("a", "2", "mAP", 0.7)]
    rows += [("b", "all", "accuracy", 0.1), ("b", "1", "top1_acc", 0.2)]
    kept = by_fold(pd.DataFrame(rows, columns=names))
    assert kept["score"].tolist() == [0.5, 0.7, 0.2]
    assert by_fold(read_results("nothing", tmp_path)).empty


def test_the_recorded_emovo_is_what_its_chapter_tells():
    table = by_fold(read_results("arch"))
    table = table[table["task"] == "emovo"]
    assert table.groupby("encoder").size().eq(18).all(), "six speakers, three seeds"
    found = benchmarks.recorded_scores(table)
    assert found["low"].le(found["score"]).all() and found["high"].ge(found["score"]).all()


@pytest.mark.parametrize(
    ("scores", "first", "moves"),
    [
        (
            {"A": [9, 9, 9], "B": [5, 5, 5]},
            "A stays first whichever task",
            "none of 2 models moves",
        ),
        (
            {"A": [9, 9, 9], "B": [5, 5, 18]},
            "B is first, but not without z (A)",
            "No model moves without x and y; without z 2 of 2 do. B moves farthest, by 1.",
        ),
        (
            {"A": [10, 0, 5], "B": [0, 10, 5.5], "C": [6, 6, 0]},
            "B is first, but not without y (A) and z (C)",
            "Models move whichever is left out; without y 3 of 3 do. B moves farthest, by 2.",
        ),
    ],
)
def test_whether_the_order_holds_is_told_by_the_places(scores, first, moves):
    table = places_without_each(pd.DataFrame(scores, index=list("xyz"), dtype=float).T)
    assert first in benchmark_words.held(table)
    assert moves in benchmark_words.moved(table)
    assert f"1 {table.index[0]}, 2 {table.index[1]}" in benchmark_words.places_told(table)


def gains(pairs, *means):
    """Gains of these means, each certain within a point."""
    return [
        Gain(pair, pd.Series([mean - 1.0, mean, mean + 1.0]), mean, mean - 1, mean + 1)
        for pair, mean in zip(pairs, means, strict=True)
    ]


@pytest.mark.parametrize(
    ("means", "says", "because"),
    [
        ((5, 5, 5, 5), "supported", "4 of 4 pairs gain"),
        ((-5, 5, 5, 5), "partly", "3 of 4 pairs gain, not data2vec"),
        ((-5, 0, 0, 0), "not", "0 of 4 pairs gain, not data2vec, WavLM, HuBERT and XLS-R"),
    ],
)
def test_the_verdict_on_size_turns_with_its_pairs(means, says, because):
    size = gains(benchmark_pairs.ARCH_SIZE, *means)
    names = {"size": size, "word": word, "domains": dict.fromkeys("abc", "music")}
    (parts,), _ = run_cell("16", "arch-24", **names, told=lambda found: "")
    assert parts["verdict"] == says and because in parts["because"]
    assert ("data2vec (-5.0)" in parts["evidence"]) == (means[0] < 0)


def test_a_summary_counts_and_spans():
    size = gains(benchmark_pairs.ARCH_SIZE, -5, 0, 5, 9)
    assert benchmark_words.summary(size) == "2 of 4 pairs gain; means -5.0 to +9.0 points"
    said = benchmark_words.found({"Size": ("partly", "So it is.")})
    assert said.endswith("- **Size**: *partly supported*. So it is.")


@pytest.mark.parametrize(("points", "says"), [(0.0, "partly"), (5.0, "supported")])
def test_slowfast_is_supported_only_if_every_domain_gains(monkeypatch, points, says):
    """As published, environment gains nothing; with points more on its tasks it would."""
    scores = benchmarks.published("hares")
    environment = benchmarks.chosen("hares", "environment")
    scores.loc[[pair.after for pair in benchmark_pairs.HARES_SLOWFAST], environment] += points
    monkeypatch.setattr(benchmarks, "published", lambda name: scores)
    names = {"pd": pd, "plots": plots, "benchmarks": benchmarks, "gain": gain, "word": word}
    names |= {"benchmark_pairs": benchmark_pairs, "benchmark_words": benchmark_words}
    names |= {"as_printed": as_printed, "read_table": read_table}
    names |= {"own_words": own_words, "over_labels": {}}
    (found,), names = run_cell("17", "hares-03", **names)
    assert ("nothing is gained in environment" in found) == (says == "partly")
    (parts,), _ = run_cell("17", "hares-30", **names)
    assert parts["verdict"] == names["paths"] == says
    assert ("none in environment" in parts["because"]) == (says == "partly")


def test_figures_draw_every_model_and_task():
    tasks = benchmarks.declared("hares")
    plots_benchmarks.overview(tasks, "clips")
    assert {t.get_text() for t in plt.gca().get_yticklabels()} == set(tasks.index)
    scores, domains = benchmarks.published("arch"), benchmarks.domains_of("arch")
    plots_benchmarks.places(places_without_each(scores), domains)
    drawn = [t.get_text() for t in plt.gca().texts]
    assert len(drawn) == 14 * 13 and drawn[0] == "1"
    plots_benchmarks.gains({"size": [gain(scores, p) for p in benchmark_pairs.ARCH_SIZE]}, domains)
    assert next(t.get_text() for t in plt.gca().get_yticklabels()) == "data2vec"
    variances = pd.DataFrame(
        np.ones((12, 4)), columns=pd.MultiIndex.from_product([["slow", "fast"], ["a", "b"]])
    )
    plots_benchmarks.depth(variances, [1.0] * 12, (1, 2, 6, 3))
    assert len(plt.gca().get_legend().get_texts()) == 5
    plt.close("all")


def test_a_pair_of_one_model_is_no_gain():
    scores = benchmarks.published("arch")
    found = gain(scores, Pair("wavlm-base", "wavlm-base", "itself"))
    assert (found.mean, found.low, found.high, found.ahead) == (0, 0, 0, 0)
