"""What costs nothing is scored as the sweep scores, and recorded beside it."""

import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.cli import main
from dasheng_lib.corpora import load_corpus
from dasheng_lib.evaluation.folds import chance
from dasheng_lib.evaluation.probes.few_shot import few_labels
from dasheng_lib.results import read_results
from dasheng_lib.sweep.baselines import AVERAGES, baselines, half_interval
from dasheng_lib.sweep.judge import Judge
from dasheng_lib.sweep.protocol import Protocol
from dasheng_lib.tasks import suite

TASKS = ("syn_vowel", "syn_event")


def lopsided(name):
    """The synthetic corpus: one class of each task in a single fold, another one the commonest."""
    corpus = load_corpus(name)
    rows = corpus.tasks[corpus.tasks["task"].isin(TASKS)]
    one, common = rows.groupby("task")["label"].agg(["min", "max"]).T.to_numpy()
    first = rows.groupby("task")["fold"].transform("min")
    alone = rows["label"].isin(one) & (rows["fold"] != first)
    rare = ~rows["label"].isin([*one, *common]) & (rows.groupby(["task", "label"]).cumcount() > 9)
    return replace(corpus, tasks=rows[~alone & ~rare].reset_index(drop=True))


@pytest.fixture(scope="module")
def found():
    protocol = Protocol(corpora=("synthetic",), tasks=TASKS, seconds=0.5, few=2)
    judge = Judge(protocol, load=lopsided)
    return judge, *baselines(judge)


def test_chance_and_majority_come_from_the_labels_that_are_tested(found):
    judge, table, clips, classes = found
    rows = table.set_index("baseline")
    for name in TASKS:
        labels = judge.corpora[0].task(name)
        tested, right = [], 0
        for fold in labels["fold"].unique():
            rest = labels[labels["fold"] != fold]["label"]
            own = labels[labels["fold"] == fold]["label"]
            own = own[own.isin(rest)]
            tested += list(own)
            commonest = rest.value_counts()
            commonest = min(commonest[commonest == commonest.max()].index)
            right += (own == commonest).sum()
        assert clips[name] == len(tested) < len(labels)
        assert classes[name] == len(set(tested))
        assert rows.at["chance", f"knn:{name}"] == 1 / len(set(tested))
        assert rows.at["majority", f"linear:{name}"] == pytest.approx(right / len(tested))


def test_averages_are_means_of_domains_for_every_probe(found):
    _, table, _, _ = found
    domains = {task.name: task.domain for task in suite("synthetic") if task.name in TASKS}
    assert set(domains.values()) == {"speech", "environment"}
    for average, probe in AVERAGES.items():
        mean = np.mean([table[f"{probe}:{task}"] for task in domains], axis=0)
        assert table[average].to_numpy() == pytest.approx(mean)
        assert table[f"{average}_speech"].to_numpy() == pytest.approx(table[f"{probe}:syn_vowel"])


def test_log_mel_has_ranks_and_beats_chance(found):
    rows = found[1].set_index("baseline")
    assert 1 < rows.at["log-mel", "rankme"] <= 128
    assert rows.at["log-mel", "quality"] > 2 * rows.at["chance", "quality"]


def test_the_interval_is_that_of_a_weighted_mean_of_shares():
    domains = {"a": "x", "b": "x", "c": "y"}
    scores, clips = {"a": 0.5, "b": 0.2, "c": 0.9}, {"a": 100, "b": 50, "c": 400}
    by_hand = 0.25**2 * 0.25 / 100 + 0.25**2 * 0.16 / 50 + 0.5**2 * 0.09 / 400
    assert half_interval(scores, domains, clips) == pytest.approx(1.96 * by_hand**0.5)


def test_the_command_keeps_them_with_their_protocol(tmp_path):
    grid = tmp_path / "grid.yml"
    grid.write_text(
        "base: {preset: 12x1x2, corpus: synthetic, steps: 4}\n"
        f"protocol: {{corpora: [synthetic], tasks: {list(TASKS)}, seconds: 0.5, few: 2}}"
    )
    assert main(["sweep", str(grid), "--baselines", str(tmp_path / "kept")]) == 0
    kept = read_results("kept", tmp_path)
    assert list(kept["baseline"]) == ["log-mel", "majority", "chance"]
    assert kept.attrs["protocol"]["seconds"] == 0.5
    assert set(kept.attrs["clips"]) == set(kept.attrs["classes"]) == set(TASKS)


def test_those_recorded_are_of_the_first_sweep():
    sweep, kept = read_results("first_sweep"), read_results("first_sweep_baselines")
    scores = [c for c in kept if ":" in c]
    assert set(scores) == {c for c in sweep if ":" in c}
    assert kept[scores].notna().all(axis=None)
    chance = pd.Series({task: 1 / count for task, count in kept.attrs["classes"].items()})
    row = kept.set_index("baseline").loc["chance"]
    assert [row[f"linear:{task}"] for task in chance.index] == pytest.approx(list(chance), rel=1e-5)


@pytest.mark.parametrize(("probe", "prefix"), [("knn", "knn_quality"), ("few", "few_quality")])
def test_chance_is_that_of_the_labels_that_a_probe_is_given(found, probe, prefix):
    judge = found[0]
    corpus = judge.corpora[0]
    rows_ND = np.random.default_rng(0).normal(size=(len(corpus), 3))
    scores = judge.scores([rows_ND], ("linear", "knn", "few"), each_task=True)
    above = []
    for name in TASKS:  # one of each domain
        labels = corpus.task(name)
        if probe == "few":
            labels = few_labels(labels, judge.protocol.few, zlib.crc32(name.encode()))
        guess = chance(labels)
        above.append((scores[f"{probe}:{name}"] - guess) / (1 - guess))
    assert scores[f"{prefix}_above_chance"] == pytest.approx(np.mean(above))
