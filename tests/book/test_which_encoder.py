"""Which encoder to take: means and leads in closed form, and names that load."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.book import which_encoder
from dasheng_lib.book.which_encoder import EVERY
from dasheng_lib.encoders import load_encoder


def test_an_interval_of_a_mean_is_that_of_independent_tasks(monkeypatch):
    rows = pd.DataFrame(
        {
            "task": ["a", "b", "c", "d"],
            "domain": ["speech", "speech", "music", "environment"],
            "accuracy": [0.4, 0.6, 0.5, 0.5],
            "low": [0.37, 0.56, 0.5, 0.5],
            "high": [0.43, 0.64, 0.5, 0.5],
        }
    ).assign(encoder="log-mel statistics", probe="linear", headline=True)
    monkeypatch.setattr(which_encoder, "read_results", lambda _: rows)
    table = which_encoder.scores("linear").loc["logmel"]
    assert table["speech"].tolist() == pytest.approx([50, 2.5])  # of 3 and 4: half of 5
    assert table[EVERY].tolist() == pytest.approx([50, 2.5 / 3])


def test_a_lead_is_real_where_its_interval_leaves_out_zero():
    columns = pd.MultiIndex.from_product([["speech"], ["mean", "half"]])
    table = pd.DataFrame([[50, 3], [60, 4], [54.9, 3], [55.1, 3]], list("abcd"), columns)
    lead = which_encoder.behind(table, "speech")
    assert list(lead.index) == ["b", "d", "c", "a"]
    assert lead["real"].to_dict() == {"b": False, "d": False, "c": True, "a": True}
    assert (lead.loc["a", ["points", "low", "high"]] == [10, 5, 15]).all()


def test_on_a_benchmark_encoders_are_compared_fold_by_fold(monkeypatch):
    folds = {"aisfx": [0.9, 0.1, 0.5], "resemblyzer": [0.88, 0.08, 0.47]}  # always behind
    folds["log-mel statistics"] = [0.1, 0.9, 0.3]  # behind by 7 points, and now before, now behind
    rows = pd.DataFrame(folds).melt(ignore_index=False, var_name="encoder", value_name="score")
    rows = rows.reset_index(names="fold")
    monkeypatch.setattr(which_encoder, "of_benchmarks", lambda: [("ESC-50 (ARCH)", rows)])
    table = which_encoder.on_benchmarks()["ESC-50 (ARCH)"].dropna()
    assert table["real"].to_dict() == {
        "logmel": False,
        "wheel:aisfx": False,
        "wheel:resemblyzer": True,
    }
    assert table.at["wheel:aisfx", "mean"] == pytest.approx(50)
    assert table.at["wheel:aisfx", "half"] == pytest.approx(4.302653 * 40 / 3**0.5, rel=1e-6)
    frame = pd.concat({"ESC-50": table}, axis=1).reindex(["wheel:aisfx", "random:nano"])
    cells = which_encoder.starred(frame, frame.xs("real", axis=1, level=1))["ESC-50"]
    assert cells.to_dict() == {"wheel:aisfx": "50.0\u202f±\u202f99.4*", "random:nano": "\u2013"}


def test_every_encoder_has_its_facts_and_a_name_that_is_known():
    facts = which_encoder.facts()
    assert facts.at["dasheng:nano", "speed"] == 1 and (facts["licence"].str.len() > 2).all()
    assert np.isnan(facts.at["logmel", "parameters"])
    for name in which_encoder.LEARNED:
        if not name.startswith(("wheel:", "efficientat:", "musicnn:")):  # those are fetched
            assert load_encoder(name).dim == facts.at[name, "numbers"]
    assert set(which_encoder.scores("knn").index) <= set(which_encoder.LEARNED)
