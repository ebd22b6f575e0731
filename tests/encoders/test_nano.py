"""The encoder that comes with the library: what its card says is so, and so are its claims."""

import hashlib
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch

from dasheng_lib.checkpoint import load_autoencoder
from dasheng_lib.checkpoint.weights import facts_in
from dasheng_lib.common.places import RESULTS
from dasheng_lib.encoders import WEIGHTS, load_encoder
from dasheng_lib.evaluation.pocket import accuracy_by_domain
from dasheng_lib.mae import masked_mse
from dasheng_lib.model import PRESETS
from dasheng_lib.model.encoder import encoder_config
from dasheng_lib.results import read_results

RIVALS = ("untrained nano", "log-mel statistics")
CARD = WEIGHTS["nano"].with_suffix(".md").read_text()


@pytest.fixture(scope="module")
def recorded():
    return read_results("encoders")


def test_it_is_the_nano_and_small_enough_to_travel():
    encoder = load_encoder("dasheng:nano")
    size = replace(PRESETS["nano"], whitened=True)
    assert (encoder.dim, encoder.encoder.config) == (size.dim, size)
    assert WEIGHTS["nano"].stat().st_size <= 10_000_000


def test_the_card_is_of_this_file():
    sha256 = hashlib.sha256(WEIGHTS["nano"].read_bytes()).hexdigest()
    assert sha256 in CARD


def test_it_reconstructs_sounds_it_never_heard(synthetic):
    model = load_autoencoder(WEIGHTS["nano"])
    wave_BN = torch.zeros(24, 16_000)
    for row, clip in zip(wave_BN, range(0, 240, 10), strict=True):
        samples = torch.from_numpy(synthetic.wave(clip).copy())[:16_000]
        row[: len(samples)] = samples / samples.abs().max()
    with torch.no_grad():
        out = model(wave_BN, torch.Generator().manual_seed(0))
    nothing = masked_mse(torch.zeros_like(out.target_BTP), out.target_BTP, out.mask_BT)
    assert out.loss < 0.9 * nothing


def test_the_card_says_what_is_recorded(recorded):
    """Every row of the card's table is a row of the recorded one, rounded."""
    said = re.findall(r"^\| ([\w-]+) \|((?: [\d.]+ \|){6})$", CARD, re.MULTILINE)
    assert len(said) >= 8
    accuracy = recorded.set_index(["task", "encoder", "probe"])["accuracy"]
    for task, numbers in said:
        shown = [float(number) for number in re.findall(r"[\d.]+", numbers)]
        expected = [100 * accuracy[(task, *column)] for column in COLUMNS]
        assert shown == pytest.approx(expected, abs=0.051)


def test_the_card_says_the_recorded_averages(recorded):
    said = dict(re.findall(r"^\| \*(\w+)\* \|((?: [\d.]+ \|){6})$", CARD, re.MULTILINE))
    means = accuracy_by_domain(recorded)
    assert set(said) == set(means.columns)
    for domain, numbers in said.items():
        shown = [float(number) for number in re.findall(r"[\d.]+", numbers)]
        expected = [100 * means[domain][column] for column in COLUMNS]
        assert shown == pytest.approx(expected, abs=0.051), domain


COLUMNS = [
    (encoder, probe)
    for probe in ("linear", "knn")
    for encoder in ("dasheng:nano", "untrained nano", "log-mel statistics")
]


@pytest.mark.parametrize("probe", ["linear", "knn"])
def test_it_beats_itself_untrained_and_log_mel_in_every_domain_and_on_every_task_of_the_card(
    recorded, probe
):
    some = recorded[recorded["probe"] == probe]
    means = accuracy_by_domain(some).droplevel("probe")
    listed = some[
        some["task"].isin(re.findall(r"^\| (\w+) \|(?: [\d.]+ \|){6}$", CARD, re.MULTILINE))
    ]
    each = listed.pivot_table(index="encoder", columns="task", values="accuracy")
    assert {"fsdd", "esc10"} < {*each} and each.shape[1] == 8
    for table in (means, each):
        for rival in RIVALS:
            assert (table.loc["dasheng:nano"] > table.loc[rival]).all(), (probe, rival)


def test_the_card_says_where_its_lead_lies_within_the_interval(recorded):
    said, rows = [], recorded.set_index(["task", "probe", "encoder"])
    for task in re.findall(r"^\| (\w+) \|(?: [\d.]+ \|){6}$", CARD, re.MULTILINE):
        for probe, name in (("linear", "linear probe"), ("knn", "k-NN")):
            rivals = (rows.at[(task, probe, rival), "accuracy"] for rival in RIVALS)
            if max(rivals) > rows.at[(task, probe, "dasheng:nano"), "low"]:
                said.append(f"{task} by {name}")
    assert f"interval of its score: {', '.join(said)}." in " ".join(CARD.split())


@pytest.fixture(scope="module")
def recipes():
    """The last step of every recipe, with the mean that the rule looks at."""
    table = read_results("nano_recipes")
    last = table[table["step"] == table["steps"]]
    return last.assign(score=50 * (last["quality_heard"] + last["knn_quality_heard"]))


def test_its_recipe_is_the_one_that_the_rule_picks_on_pocket(recipes):
    made = read_results("nano").attrs["parameters"]
    made |= made["train"]
    runs = pd.read_csv(RESULTS / "nano_recipes_runs.csv").set_index("run")["config"].map(json.loads)
    for arm, setting in (("mask", "mask_ratio"), ("even", "even"), ("rate", "lr")):
        rows = recipes[recipes["factor"].str.split("+").map(lambda arms, a=arm: a in arms)]
        best = runs[rows.loc[rows["score"].idxmax(), "run"]]
        assert len(rows) >= 3 and made[setting] == {**best, **best["train"]}[setting], arm
    same = ("batch", "clip_seconds", "mix", "speed", "short", "group", "positions", "family")
    assert {name: made[name] for name in same} == {name: runs["base"][name] for name in same}
    sizes = {encoder_config(run["preset"]) for run in (made, runs["base"])}
    assert sizes == {PRESETS["nano"]}


def test_the_card_says_how_the_recipes_did(recipes):
    mean = recipes.groupby("setting")["score"].mean()
    (said,) = re.findall(r"## How it was chosen\n(.*?)\n## ", CARD, re.DOTALL)
    numbers = {float(n) for n in re.findall(r"\b\d\d\.\d\b", said)}
    assert {round(score, 1) for score in mean} <= numbers
    base = recipes.loc[recipes["setting"] == "base", "score"]
    assert f"two seeds {base.max() - base.min():.1f} apart" in " ".join(said.split())


POWERS = {"as is": 0, "flatten:0.25": 0.25, "flatten:0.5": 0.5, "flatten:0.75": 0.75, "whiten": 1}


def test_it_is_whitened_as_far_as_pocket_says_and_its_card_says_what_that_does():
    table = read_results("nano_whitening").set_index(["intervention", "probe", "tasks"])
    accuracy, words = 100 * table["accuracy"], " ".join(CARD.split())
    both = {i: accuracy[i, "linear", "heard"] + accuracy[i, "knn", "heard"] for i in POWERS}
    best = max(both, key=both.get)
    assert facts_in(WEIGHTS["nano"])["whitened_by"] == f"{POWERS[best]:g}"
    for probe in ("linear", "knn", "few"):
        for tasks in ("heard", "unheard"):
            said = " | ".join(f"{accuracy[i, probe, tasks]:.1f}" for i in POWERS)
            assert said in words, (probe, tasks)
    assert accuracy["as is", "few", "heard"] > accuracy[best, "few", "heard"]  # as the card warns


def test_the_card_says_that_log_mel_gains_by_whitening_too(recorded):
    table = read_results("interventions").set_index(["encoder", "intervention", "probe", "tasks"])
    words = " ".join(CARD.split())
    for tasks in ("fsdd", "esc10"):
        for probe in ("linear", "knn"):
            before, after = (
                100 * table.at[("log-mel statistics", name, probe, tasks), "accuracy"]
                for name in ("as is", "flatten:0.5")
            )
            assert f"{before:.1f} to {after:.1f}" in words
    nano = recorded.set_index(["encoder", "probe", "task"]).at[
        ("dasheng:nano", "knn", "fsdd"), "accuracy"
    ]
    flat = table.at[("log-mel statistics", "flatten:0.5", "knn", "fsdd"), "accuracy"]
    assert flat > nano


def test_the_readme_prints_what_is_recorded(recorded):
    own = recorded[recorded["encoder"].isin(("dasheng:nano", *RIVALS))]
    printed = (100 * accuracy_by_domain(own)).round(1).to_string()
    readme = (RESULTS.parents[1] / "README.md").read_text()
    assert "\n".join(line.rstrip() for line in printed.splitlines()) in readme
