"""What chapters say of a recorded sweep follows from its rows, whichever way they point."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.book.sweep_words import (
    of_both,
    of_looks,
    of_measures,
    signed,
    training,
    withdrawn,
)
from dasheng_lib.book.words import verdicts
from dasheng_lib.common.errors import UserError
from dasheng_lib.results import write_results
from dasheng_lib.scaling.fit import Estimate
from dasheng_lib.scaling.rows import last_checkpoints
from dasheng_lib.sweep.recorded import (
    baselines,
    gains,
    read_sweep,
    references,
    tasks_of,
    title,
)

TASKS = ("number", "drum", "event", "fsdd", "esc10")
# Log-mel, chance, the base point untrained and trained, and another run: seeds move it a little.
SCORES = {"log-mel": 0.50, "chance": 0.10, "untrained": 0.45}


def recorded(folder, gain, seed_noise=0.01):
    """A sweep of three base seeds and one wider run, whose scores all change by ``gain``."""
    rows = []
    for place, run in enumerate(("base", "seed-1", "seed-2", "wide")):
        setting = "base" if place < 3 else "wide"
        for step in (0, 5):
            score = SCORES["untrained"] + (step == 5) * (gain + seed_noise * (place - 1))
            scores = {f"{p}:{t}": score for p in ("linear", "knn", "few") for t in TASKS}
            scores |= {f"{p}quality": score for p in ("", "knn_", "few_")}
            row = {"run": run, "setting": setting, "factor": setting, "family": "dasheng"}
            row |= {"own_loss": 0.5, "explained": 0.4, "rankme_centred": 9.0, "steps": 5}
            rows.append({**row, "seed": place, "step": step, "rankme": 9.0, **scores})
    write_results(folder / "made_sweep", pd.DataFrame(rows), "dasheng sweep")
    free = [
        {"baseline": name, **{c: SCORES[name] for c in rows[0] if ":" in c or "quality" in c}}
        for name in ("log-mel", "chance")
    ]
    write_results(folder / "made_sweep_baselines", pd.DataFrame(free), "dasheng sweep")
    return read_sweep("made_sweep", folder), baselines("made_sweep", folder)


def test_training_that_gains_is_told_from_training_that_does_not(tmp_path):
    up = training(*recorded(tmp_path, 0.15))
    assert up.learns("quality", "knn_quality") and up.is_base
    assert "changes the linear probe by +15.0 ± 2.5 points" in up.words
    assert "10.0 and 10.0 points ahead of log-mel" in up.words
    assert "there is something learned" in up.words
    assert up.table.at["k-NN, heard tasks", "above log-mel"] == 4
    down = training(*recorded(tmp_path, -0.05))
    assert not down.is_base and not down.learned & {"quality", "knn_quality"}
    assert "by -5.0 ± 2.5 points" in down.words and "behind log-mel" in down.words
    assert "neither support nor refute" in down.words
    assert down.table.at["linear probe", "above untrained"] == 0


def test_better_than_untrained_alone_is_not_enough_for_a_base(tmp_path):
    below_logmel = training(*recorded(tmp_path, 0.045, seed_noise=0.001))
    assert below_logmel.table.at["linear probe", "gain"] == pytest.approx(4.5)
    assert not below_logmel.is_base and "this one does not pass" in below_logmel.words
    assert not training(*recorded(tmp_path, 0.06, seed_noise=0.02)).is_base, "within seeds' reach"
    assert training(*recorded(tmp_path, 0.06, seed_noise=0.001)).is_base
    table, free = recorded(tmp_path, 0.15)
    table.loc[table["step"] == 5, "knn_quality"] = 0.46
    half = training(table, free)
    assert not half.is_base, "both probes have to end above log-mel"
    assert "10.0 points ahead of and 4.0 points behind log-mel" in half.because
    assert "4 of the 4 end above log-mel by the linear probe, 0 of them by k-NN" in half.words


def test_what_was_learned_is_asked_of_each_measure_beyond_what_seeds_do(tmp_path):
    assert training(*recorded(tmp_path, 0.045, seed_noise=0.001)).learns("quality", "knn_quality")
    assert not training(*recorded(tmp_path, 0.06, seed_noise=0.03)).learns("quality")
    table, free = recorded(tmp_path, 0.15)
    table.loc[table["step"] == 5, "knn_quality"] = 0.45
    half = training(table, free)
    assert half.learns("quality", "quality_heard") and not half.learns("knn_quality")
    assert "by the linear probe there is something learned" in half.words


def test_the_base_point_is_the_setting_with_most_seeds(tmp_path):
    table, free = recorded(tmp_path, 0.15)
    moved = pd.concat([table[table["run"] == "wide"], table[table["run"] != "wide"]])
    pd.testing.assert_frame_equal(training(moved, free).table, training(table, free).table)


def test_a_change_that_prints_as_nothing_has_no_sign():
    assert [signed(x) for x in (-0.04, 0.04, 0.06, -1.25)] == ["0.0", "0.0", "+0.1", "-1.2"]


def test_tasks_are_heard_or_never_heard(tmp_path):
    table, free = recorded(tmp_path, 0.1)
    assert tasks_of(table, "quality_unheard") == {
        "linear:fsdd": "speech",
        "linear:esc10": "environment",
    }
    assert set(tasks_of(table, "knn_quality_heard")) == {"knn:number", "knn:drum", "knn:event"}
    assert tasks_of(table, "quality_music") == {"linear:drum": "music"}
    table["linear:fsdd"], table["linear:esc10"] = 0.2, 0.6
    again = read_sweep("made_sweep", _rewritten(tmp_path, table))
    assert again["quality_unheard"].to_numpy() == pytest.approx(0.4)
    assert references(table, free, "quality") == pytest.approx(
        {"log-mel": 50, "untrained": 45, "chance": 10}
    )


def _rewritten(folder, table):
    kept = table.drop(columns=[c for c in table if c.endswith("heard")])
    write_results(folder / "made_sweep", kept, "dasheng sweep")
    return folder


def test_a_gain_is_over_the_runs_own_start(tmp_path):
    table, _ = recorded(tmp_path, 0.1, seed_noise=0.02)
    table.loc[(table["run"] == "wide") & (table["step"] == 0), "quality"] = 0.2
    found = gains(table, "quality")
    assert found["base"] == pytest.approx(0.08) and found["seed-1"] == pytest.approx(0.1)
    assert found["wide"] == pytest.approx(0.45 + 0.1 + 0.04 - 0.2)


def test_an_unknown_record_is_one_sentence_that_names_those_there_are(tmp_path):
    recorded(tmp_path, 0.1)
    with pytest.raises(UserError, match="records are made_sweep"):
        read_sweep("swep", tmp_path)
    with pytest.raises(UserError, match="no recorded sweep 5"):
        read_sweep(5, tmp_path)


def test_columns_have_names_that_people_read():
    assert title("rankme_centred") == "RankMe, centred"
    assert title("knn_quality_unheard") == "k-NN, never-heard tasks"
    assert title("quality_speech") == "linear probe, speech"
    assert title("quality") == "linear probe" and title("clip_seconds") == "clip seconds"


def test_the_first_sweep_is_what_the_audit_found():
    found = training(read_sweep("first_sweep"), baselines("first_sweep"))
    assert not found.is_base and not found.learned
    gain = found.table["gain"]
    assert gain["linear probe"] == pytest.approx(np.mean([1.22, 0.03, -1.34]), abs=0.02)
    assert gain["k-NN"] == pytest.approx(np.mean([-8.18, -5.03, -8.37]), abs=0.02)


@pytest.mark.parametrize(
    "width, depth, data, word",
    [
        (1, 0, 1, "supported"),
        (1, 1, 1, "supported"),
        (1, 0, 0, "partly"),
        (0, 0, 1, "partly"),
        (1, 0, -1, "partly"),
        (1, -1, 1, "partly"),
        (-1, 0, 0, "not"),
        (0, -1, -1, "not"),
        (0, 0, -1, "not"),
        (0, 0, 0, "cannot tell"),
    ],
)
def test_a_fall_is_never_lost_behind_a_rise(width, depth, data, word):
    assert of_both((width, depth), data) == of_both((depth, width), data) == word


def test_a_correlation_is_strong_where_its_whole_interval_is():
    strong, likely, open_ = (
        Estimate(0.8, 0.65, 0.9),
        Estimate(0.8, 0.3, 0.9),
        Estimate(0.5, -0.1, 1),
    )
    assert of_looks([strong, strong], beaten=False) == "supported"
    assert of_looks([strong, likely], beaten=False) == "partly"
    assert of_looks([strong, strong], beaten=True) == "partly"
    assert of_looks([open_, open_], beaten=False) == "cannot tell"
    assert of_looks([strong, Estimate(-0.5, -0.8, -0.1)], beaten=False) == "not"


def test_the_loss_is_withdrawn_where_a_domain_is_missing_from_its_audio(tmp_path):
    table, _ = recorded(tmp_path, 0.1)
    assert withdrawn(table) == ""
    table.attrs["exam"] = {"seconds": {"speech": 0.0, "music": 20.0}, "longest_clip": 5.0}
    assert "25% are one recording" in withdrawn(table) and "there is no speech in" in withdrawn(
        table
    )
    table.attrs["exam"]["seconds"]["speech"] = 9.0
    assert withdrawn(table) == ""


def test_a_verdict_may_say_why():
    said = dict(claim="a", evidence="b", verdict="not", mind="c")
    assert (
        "Verdict: not supported, because d & e."
        in verdicts.bundle("T", **said, because="d & e")["text/plain"]
    )
    assert "because d &amp; e." in verdicts.bundle("T", **said, because="d & e")["text/html"]
    assert "Verdict: not supported." in verdicts.bundle("T", **said)["text/plain"]


def test_recorded_runs_are_called_what_their_scores_say_too():
    table = read_sweep("first_sweep")
    assert (table.loc[table["step"] == 0, "state"] == "untrained").all()
    states = last_checkpoints(table).set_index("run")["state"]
    lost = 100 * pd.concat([gains(table, m) for m in ("quality", "knn_quality")], axis=1).min(
        axis=1
    )
    assert set(states[lost < -10]) == {"collapsed"}
    collapsed = {"lr-0.003", "lr-0.01", "lr-0.03", "family-wav2vec2"}
    assert set(states[states != "healthy"].index) == collapsed


@pytest.mark.parametrize(
    "words, word",
    [
        (["supported"] * 2, "supported"),
        (["not", "not"], "not"),
        (["not", "supported"], "partly"),
        (["partly", "cannot tell"], "partly"),
        (["not", "cannot tell"], "cannot tell"),
    ],
)
def test_measures_that_agree_give_their_word_and_others_no_more_than_partly(words, word):
    assert of_measures(words) == word
