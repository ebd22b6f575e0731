"""Three benchmarks side by side: what they share is there; verdicts turn with the numbers."""

import pandas as pd
import pytest
from chapter_cells import run_cell

from dasheng_lib.book import coinciding
from dasheng_lib.book.recorded_encoders import exams
from dasheng_lib.metrics.rank_correlation import Agreement, smallest_p, systems_needed
from dasheng_lib.results import as_printed, read_table


@pytest.fixture(scope="module")
def tables():
    return coinciding.published()


def test_averages_are_those_that_are_printed(tables):
    printed = as_printed(read_table("dasheng_table4"))["Average"]
    for name in ("CED-Base", "Wav2Vec2", "Data2Vec", "Dasheng-1.2B"):
        assert tables["HEAR"].average[name] == pytest.approx(printed[name], abs=0.05)
    assert tables["ARCH"].average["wavlm-large"] == pytest.approx(57.08, abs=0.005)
    hares = tables["HARES"]
    again = hares.complete.mean(axis=1)
    assert (again - hares.average[again.index]).abs().max() < 0.11, "as printed, but for rounding"


def test_complete_are_models_with_every_score_and_tasks_by_domain(tables):
    shapes = {name: table.complete.shape for name, table in tables.items()}
    assert shapes == {"HEAR": (12, 18), "ARCH": (14, 12), "HARES": (20, 12)}
    for table in tables.values():
        assert table.complete.notna().all(axis=None) and not set(table.quoted) & set(
            table.complete.index
        )
        assert list(dict.fromkeys(table.domains.values())) == ["environment", "music", "speech"]
    assert "Sony-ViT" not in tables["HEAR"].complete.index, "its 0 is a blank"


def test_no_digit_of_the_quoted_rows_slips(tables):
    quoted = as_printed(read_table("hear_quoted"))
    assert quoted.shape == (2, 18) and set(quoted.columns) == set(tables["HEAR"].domains)
    assert quoted.stack().dropna().between(0, 100).all()
    assert quoted.isna().sum().to_dict() == dict.fromkeys(quoted, 0) | {"F50k": 1}
    assert quoted.sum(axis=1).round(2).to_dict() == {"GURA Hubert": 1148.08, "CVSSP PANNS": 943.8}


def test_each_pair_of_rows_is_in_its_tables(tables):
    pairs = coinciding.coinciding()
    assert set(pairs["same"]) <= set(coinciding.SAME)
    assert pairs["why"].str.len().min() > 20, "each says where it is known from"
    for pair in pairs.itertuples():
        assert pair.row in tables[pair.first].scores.index, pair
        assert pair.other in tables[pair.second].scores.index, pair
    order = list(coinciding.SAME)
    for _, rows in pairs.groupby(["first", "second", "encoder"]):
        places = [order.index(same) for same in rows["same"]]
        assert places == sorted(places), "the nearest candidate stands first"


def test_every_choice_of_candidates_has_each_encoder_once(tables):
    ways = list(coinciding.asked_twice(tables, "HEAR", "ARCH"))
    assert len(ways) == 2 * 2 * 3
    assert all(way["encoder"].is_unique and len(way) == 3 for way in ways)
    assert list(ways[0]["row"]) == ["GURA Hubert", "Data2Vec", "Wav2Vec2"]
    (only,) = coinciding.asked_twice(tables, "HEAR", "HARES")
    assert "BYOL-A" not in set(only["other"]), "what is quoted has no average"


def test_data_sets_that_two_benchmarks_share():
    sets = coinciding.shared_sets()
    by = sets.groupby("data_set")["benchmark"].agg(lambda names: sorted(set(names)))
    assert by.to_dict() == {
        "ESC-50": ["ARCH", "HARES", "HEAR"],
        "FSD50K": ["ARCH", "HEAR"],
        "MagnaTagATune": ["ARCH", "HARES"],
        "NSynth": ["HARES", "HEAR"],
        "Speech Commands": ["HARES", "HEAR"],
    }
    esc50 = sets[sets["data_set"] == "ESC-50"].set_index("benchmark")
    assert esc50["probe"].to_dict() == {"HEAR": "MLP", "ARCH": "linear", "HARES": "SVM"}


def test_the_same_data_is_compared_where_it_is_asked_the_same(tables):
    both = coinciding.on_shared_sets(tables)
    asked = set(zip(both["task"], both["other_task"], strict=True))
    assert ("NS-50", "NSynth pitch") in asked and ("SPC-F", "SC1") in asked
    assert not any(other in ("NSynth instr", "SC2") for _, other in asked)
    hubert = both[(both["same"] == "weights") & (both["task"] == "E50")]
    assert hubert[["score", "other_score"]].to_numpy().tolist() == [[60.35, 63.40]]
    assert both[["score", "other_score"]].notna().all(axis=None)


def test_exams_are_means_of_what_is_recorded():
    taken = exams()
    assert taken.stack().dropna().between(0, 100).all()
    whole = taken.dropna()
    assert len(whole) >= 5 and {"pocket, linear", "never heard, k-NN"} <= set(whole)
    assert taken["EMOVO (ARCH)"].notna().all()


@pytest.mark.parametrize(
    ("orders", "verdict"),
    [
        ([(1.0, 3), (0.3, 3), (-1.0, 2)], "cannot tell"),
        ([(1.0, 6), (0.3, 3), (-1.0, 2)], "partly"),
        ([(1.0, 6), (1.0, 6), (1.0, 7)], "supported"),
        ([(1.0, 6), (-1.0, 6), (1.0, 7)], "not"),
        ([(0.1, 6), (0.1, 6), (0.1, 6)], "cannot tell"),
    ],
)
def test_one_benchmark_for_another_turns_with_the_orders(orders, verdict):
    pairings = [("HEAR", "ARCH"), ("HEAR", "HARES"), ("ARCH", "HARES")]
    nan = float("nan")
    found = {
        pair: [Agreement(r, smallest_p(n) if abs(r) == 1 else 0.9, nan, nan, nan, nan, n)]
        for pair, (r, n) in zip(pairings, orders, strict=True)
    }
    (parts,), _ = run_cell(
        "18",
        "18-35",
        found=found,
        measure="kendall",
        NAMES={"kendall": "Kendall's tau"},
        halves={"HEAR": 0.8},
        own_words="",
        same_weights=["HuBERT X-Large"],
        enough=5,
        smallest_p=smallest_p,
        systems_needed=systems_needed,
    )
    assert parts["verdict"] == verdict


@pytest.mark.parametrize(
    ("lowest", "verdict"),
    [((0.5, 0.3), "supported"), ((0.5, 0.0), "partly"), ((-0.2, 0.0), "not")],
)
def test_one_number_for_all_turns_with_the_domains(lowest, verdict):
    names = ("HEAR", "HARES")
    pairs = {n: ("speech and music", value) for n, value in zip(names, lowest, strict=True)}
    (parts,), _ = run_cell(
        "18",
        "18-36",
        loosest=pairs,
        rest={n: pd.Series({"a": 0.5, "b": -0.1}) for n in names},
        measure="kendall",
        NAMES={"kendall": "Kendall's tau"},
        lowest="b (-0.10)",
    )
    assert parts["verdict"] == verdict
    assert "1 of 2 tasks of HEAR" in parts["evidence"]
