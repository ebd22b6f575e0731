"""Outcomes of interventions: what they keep, how they average, and what comes from the cache."""

import numpy as np
import pandas as pd
import pytest
from chapter_cells import run_cell
from scipy import stats

from dasheng_lib.cli import main
from dasheng_lib.commands.interventions import DRAWN, NAMES
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.embed import compute_embeddings
from dasheng_lib.rank import rankme
from dasheng_lib.rank.interventions import UNSEEN_BY_LINEAR
from dasheng_lib.results import read_results
from dasheng_lib.scaling import follow
from dasheng_lib.scaling.follow import cases, of_all, of_kind
from dasheng_lib.sweep import interventions as module
from dasheng_lib.sweep.interventions import (
    Untrained,
    intervene,
    majority,
    mean_of,
    rows_of,
    untrained,
)
from dasheng_lib.tasks.of_corpus import corpus_clips


@pytest.fixture(scope="module")
def corpora():
    return module.load_corpora(["synthetic"])


@pytest.fixture(scope="module")
def before(corpora):
    return intervene(load_encoder("logmel"), "as is", corpora, progress=False)


def test_the_linear_probe_and_centred_rank_of_scaled_columns_part(corpora, before):
    after = intervene(load_encoder("logmel"), "scale:2", corpora, progress=False)
    assert after.ranks["rankme"] < before.ranks["rankme"] / 1.5
    assert after.ranks["rankme_standardised"] == pytest.approx(
        before.ranks["rankme_standardised"], rel=1e-4
    )
    rows = rows_of("log-mel", "scale:2", after, before, corpora)
    changed = rows.set_index(["probe", "tasks"])["change"]
    assert changed["linear"].abs().max() < 0.005, "invariant, but for rounding"
    assert changed["knn"].abs().max() > 0.01


def test_ranks_are_those_of_the_moved_rows(corpora, before):
    Z_ND = module.embed(load_encoder("logmel"), corpus_clips(corpora[0]), progress=False).features
    assert before.ranks["rankme"] == pytest.approx(rankme(Z_ND), rel=1e-6)
    assert np.isnan(before.ranks["rankme_unheard"]), "there is one corpus only"


def test_interventions_are_fitted_on_the_first_corpus_and_done_to_all(corpora, before):
    twice = intervene(load_encoder("logmel"), "whiten", [*corpora, *corpora], progress=False)
    assert twice.ranks["rankme_unheard"] == pytest.approx(twice.ranks["rankme"], rel=1e-6)


def test_sets_are_means_of_domains_of_tasks(corpora, before):
    rows = rows_of("log-mel", "as is", before, before, corpora).set_index(["probe", "tasks"])
    accuracy = rows["accuracy"]["linear"]
    speech = (accuracy["syn_vowel"] + accuracy["syn_contour"]) / 2
    music = (accuracy["syn_pitch"] + accuracy["syn_instrument"]) / 2
    environment = (accuracy["syn_event"] + accuracy["syn_place"]) / 2
    assert accuracy["heard"] == pytest.approx((speech + music + environment) / 3)
    assert "unheard" not in accuracy
    assert (rows["change"] == 0).all() and (rows["change_low"] == 0).all()


def test_the_interval_of_one_task_is_the_normal_one_and_of_two_is_narrower():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 400).astype(float), rng.integers(0, 2, 400).astype(float)
    mean, low, high = mean_of({"a": a}, {"a": 1.0})
    want = stats.norm.interval(0.95, a.mean(), a.std(ddof=1) / 20)
    assert (mean, low, high) == pytest.approx((a.mean(), *want))
    both = mean_of({"a": a, "b": b}, {"a": 0.5, "b": 0.5})
    assert both[0] == pytest.approx((a.mean() + b.mean()) / 2)
    assert (both[2] - both[1]) / (high - low) == pytest.approx(2**-0.5, rel=0.01)


def test_intervals_cover_what_they_should():
    rng, hits = np.random.default_rng(1), 0
    weights = {"a": 0.25, "b": 0.75}
    for _ in range(500):
        drawn = {"a": rng.random(150) < 0.3, "b": rng.random(300) < 0.6}
        _, low, high = mean_of({k: v.astype(float) for k, v in drawn.items()}, weights)
        hits += low <= 0.25 * 0.3 + 0.75 * 0.6 <= high
    assert 0.92 <= hits / 500 <= 0.98


def test_an_outcome_comes_from_the_cache(corpora, before, monkeypatch):
    monkeypatch.setattr(module, "embed", None)
    again = intervene(load_encoder("logmel"), "as is", corpora, progress=False)
    assert again.ranks.keys() == before.ranks.keys()
    assert again.seconds == before.seconds > 0, "of the first time"
    for key, right in before.correct.items():
        np.testing.assert_array_equal(again.correct[key], right)


def test_the_majority_gets_what_it_gets(corpora):
    rows = rows_of("majority", "as is", *[majority(corpora)] * 2, corpora).set_index("tasks")
    assert rows.at["syn_vowel", "accuracy"] == pytest.approx(0.2, abs=0.1)
    assert set(rows["probe"]) == {"majority"}


def test_untrained_encoders_differ_by_what_they_are_said_to_differ_by(corpora, monkeypatch):
    monkeypatch.setattr(module, "CALIBRATION", (1, 4))

    def features(**what):
        encoder = untrained(Untrained(24, heads=1, **what), corpora[0])
        return compute_embeddings(encoder, corpus_clips(corpora[0])[:300:30])

    plain = features(depth=1)
    assert plain.shape[1] == 24
    np.testing.assert_array_equal(plain, features(depth=1))
    for other in ({"depth": 0}, {"depth": 1, "scale": 2.0}, {"depth": 1, "seed": 1}):
        assert np.abs(plain - features(**other)).max() > 0.01, other
    assert np.abs(features(depth=0) - features(depth=0, scale=3.0)).max() == 0, "no blocks"


def test_the_command_records_what_the_functions_say(corpora, before, tmp_path, capsys):
    line = "interventions --encoder logmel --interventions whiten --corpus synthetic --unheard"
    assert main([*line.split(), "--no-untrained", "--record", str(tmp_path / "kept")]) == 0
    table = pd.read_csv(tmp_path / "kept.csv")
    assert {"as is", "whiten"} == set(table["intervention"])
    assert {"log-mel statistics", "majority class"} == set(table["encoder"])
    mine = table[(table["encoder"] == "log-mel statistics") & (table["intervention"] == "as is")]
    want = rows_of("log-mel statistics", "as is", before, before, corpora)
    np.testing.assert_allclose(mine["accuracy"], want["accuracy"], atol=1e-5)


def test_the_record_holds_its_controls():
    table = read_results("interventions").set_index("intervention")
    names = ["as is", *NAMES]
    done = table[table["probe"] == "linear"].groupby("encoder").apply(lambda t: [*t.index.unique()])
    assert [*done].count(names) == 3 and [*done].count(["as is"]) == len(DRAWN)
    before = table.loc["as is"].set_index(["encoder", "probe", "tasks"])
    turned = table.loc["rotate"]
    old = before.loc[pd.MultiIndex.from_frame(turned[["encoder", "probe", "tasks"]])]
    np.testing.assert_allclose(turned["rankme"], old["rankme"], rtol=1e-4)
    assert turned[turned["probe"] == "knn"]["change"].abs().max() < 0.005
    for name in ("centre", "standardise", "scale:1", "scale:2"):
        unseen = table.loc[name]
        sets = unseen[unseen["tasks"].isin(["heard", "unheard"]) & (unseen["probe"] == "linear")]
        assert sets["change"].abs().max() < 0.005, name
    knn = table.loc["scale:2"][lambda t: (t["probe"] == "knn") & (t["tasks"] == "unheard")]
    assert (knn["change_high"] < 0).all(), "and is no control for k-NN"


@pytest.mark.parametrize(
    ("way", "answer", "said"),
    [(1.0, "supported", ": follows"), (0.0, "not", ": does not follow"), (0.5, "cannot tell", "")],
)
def test_the_chapter_turns_with_the_numbers(way, answer, said):
    """Quality that goes so far the way of the law, in place of what was recorded."""
    table = read_results("interventions")
    table = table[table["tasks"].isin(["heard", "unheard"])].copy()
    key = ["encoder", "probe", "tasks"]
    before = table[table["intervention"] == "as is"].set_index(key)
    old = before.reindex(pd.MultiIndex.from_frame(table[key]))
    exponents = {case: 0.1 for case in zip(table["probe"], table["tasks"], strict=True)}
    factor = table["rankme"].to_numpy() / old["rankme"].to_numpy()
    table["change"] = way * old["accuracy"].to_numpy() * (factor**0.1 - 1)
    table["change_low"], table["change_high"] = table["change"] - 0.001, table["change"] + 0.001
    names = {"averages": table, "before": before, "exponents": exponents, "rank": "rankme"}
    names |= {"TITLE": "RankMe", "PROBES": {"linear": "linear probe", "knn": "k-NN"}}
    names |= {
        "KINDS": ["rescale", "drop leading", "keep leading"],
    }
    names |= {name: getattr(follow, name) for name in ("MOVED", "WAY", "MOST", "CASES")}
    names |= {"UNSEEN_BY_LINEAR": UNSEEN_BY_LINEAR, "cases": cases, "of_kind": of_kind}
    names |= {"SETS": ["heard", "unheard"], "moved_at_all": ["a", "b", "c"]}
    names |= {"of_all": of_all, "recorded": table, "three_columns": lambda shown, *_, **__: shown}
    names |= {"pd": pd, "np": np}
    names["points"] = "{:+.3f} {:+.3f} {:+.3f}".format
    for cell in ("controls", "kinds", "verdict"):
        told, names = run_cell("14", cell, **names)
    assert told[0]["verdict"] == answer
    assert said in " ".join(names["rows"]["all: rescale"].values())
