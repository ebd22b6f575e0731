"""What a choice costs: closed forms, draws counted one by one, and what must change nothing."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.choose import (
    FEWEST,
    LOTS,
    Choice,
    choose,
    choose_within,
    could_tell,
    of_words,
    taken,
)
from dasheng_lib.scaling.fit import Estimate, Fit
from dasheng_lib.sweep.candidates import by, on_few_clips

FEW = Fit(draws=300)


def runs(n=30, seeds=1, seed=0):
    """Runs of ``n`` settings, whose quality and score go together loosely."""
    rng = np.random.default_rng(seed)
    quality = np.repeat(rng.normal(50, 5, n), seeds) + rng.normal(0, 0.1, n * seeds)
    score = quality + rng.normal(0, 5, n * seeds)
    setting = np.repeat([f"s{i}" for i in range(n)], seeds)
    run = [f"r{i}" for i in range(n * seeds)]
    table = {"run": run, "setting": setting, "quality": quality, "score": score, "loss": -score}
    return pd.DataFrame(table)


SCORES = {
    "itself": lambda table: table["quality"].to_numpy(),
    "against": lambda table: -table["quality"].to_numpy(),
    "score": by("score"),
}


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_it_is_the_mean_over_all_draws(k):
    rng = np.random.default_rng(0)
    quality, score = rng.normal(size=7), np.array([1.0, 2, 2, 5, np.nan, 2, -1])
    found = []
    for draw in combinations(range(7), k):
        own = [np.nan_to_num(score[i], nan=-np.inf) for i in draw]
        best = [i for i, value in zip(draw, own, strict=True) if value == max(own)]
        found.append(quality[best].mean())  # among equals lots are drawn
    assert taken(score, quality, k)[0] == pytest.approx(np.mean(found))


def test_closed_forms():
    """Of qualities 1 to n the best of k is expected to be k (n + 1) / (k + 1)."""
    table = pd.DataFrame({"setting": [*"abcdefghi"], "quality": np.arange(1.0, 10)})
    scores = {name: SCORES[name] for name in ("itself", "against")}
    found = choose(table, scores, "quality", 4, FEW)
    best, mean, worst = 4 * 10 / 5, 5, 10 / 5
    assert found["itself"].regret.value == pytest.approx(0)
    assert found["itself"].gain.value == pytest.approx(best - mean)
    assert found[LOTS].regret.value == pytest.approx(best - mean)
    assert found[LOTS].gain.value == 0
    assert found["against"].regret.value == pytest.approx(best - worst)


def test_of_one_candidate_nothing_is_regretted_and_of_all_the_best_is_missed():
    table = runs()
    alone = choose(table, SCORES, "quality", 1, FEW)
    assert all(choice.regret.value == pytest.approx(0) for choice in alone.values())
    q, s = table["quality"], table["score"]
    everything = choose(table, SCORES, "quality", len(table), FEW)
    assert everything["score"].regret.value == pytest.approx(q.max() - q[s.idxmax()])


def test_a_score_counts_by_its_order_alone():
    table = runs()
    bent = {"score": lambda table: np.exp(table["score"].to_numpy() / 7) - 3, "loss": by("loss")}
    found = choose(
        table, SCORES | {"bent": bent["score"]} | {"loss": by("loss")}, "quality", 5, FEW
    )
    assert found["bent"] == found["score"] == found["loss"]
    moved = choose(table.assign(quality=table["quality"] + 9), SCORES, "quality", 5, FEW)
    assert moved["score"].regret.low == pytest.approx(found["score"].regret.low)


def test_a_score_that_says_nothing_is_lots():
    table = runs()
    none = {"same": lambda table: np.ones(len(table)), "missing": lambda t: np.full(len(t), np.nan)}
    found = choose(table, none, "quality", 6, FEW)
    for name in none:
        assert found[name].regret.value == pytest.approx(found[LOTS].regret.value)
        assert found[name].gain.high == pytest.approx(0, abs=1e-9)


def test_a_missing_score_is_never_taken_while_another_is_there():
    quality, score = np.array([9.0, 1, 2, 3]), np.array([np.nan, 1, 2, 3])
    assert taken(score, quality, 2)[0] < 3
    assert taken(score, np.eye(4)[0], 2)[0] == 0


def test_candidates_without_quality_are_left_out():
    table = runs()
    with_gap = pd.concat([table, table.iloc[:2].assign(quality=np.nan, score=1e9)])
    assert choose(with_gap, SCORES, "quality", 5, FEW) == choose(table, SCORES, "quality", 5, FEW)


def test_settings_are_resampled_not_rows():
    """Ten runs of each of twelve settings are no more than twelve: intervals do not shrink."""
    table = runs(12, seeds=10)
    apart = table.assign(setting=table["run"])
    whole, split = (choose(t, SCORES, "quality", 6, FEW)["itself"] for t in (table, apart))
    assert (whole.settings, split.settings) == (12, 120)
    assert whole.gain.value == split.gain.value
    assert whole.gain.high - whole.gain.low > 2 * (split.gain.high - split.gain.low)


def test_the_word_follows_from_the_interval_of_what_is_saved():
    table = runs(40)
    found = choose(table, SCORES, "quality", 12, FEW)
    assert found["itself"].word == "better" and found["against"].word == "worse"
    luck = np.random.default_rng(3).normal(size=40)
    assert choose(table, {"x": lambda _: luck}, "quality", 12, FEW)["x"].word == "cannot tell"
    zero = Estimate(0, 0, 0)
    assert Choice(zero, Estimate(5, 4, 6), FEWEST - 1).word == "too few"


def test_a_number_that_knows_more_saves_more_and_is_told_more_often():
    quick = Fit(draws=150)
    saved, told = zip(
        *(could_tell(runs(40), "quality", 12, r, 40, quick) for r in (0, 0.5, 0.95)), strict=True
    )
    assert saved[0] < saved[1] < saved[2] and told[0] < 0.2 < told[1] < told[2] == 1
    assert abs(saved[0]) < saved[2] / 5


def test_within_groups_each_is_one_choice():
    table = runs(8).assign(group=[*"aaabbbcd"], setting=[*"ssssssuv"])
    regrets, found = choose_within(table, SCORES, "quality", "group", fit=FEW)
    assert list(regrets.index) == ["a", "b"], "one candidate leaves no choice"
    rows = table.iloc[:3]
    taken_row = rows.loc[rows["score"].idxmax()]
    assert regrets.at["a", "score"] == pytest.approx(rows["quality"].max() - taken_row["quality"])
    assert regrets.at["a", LOTS] == pytest.approx(rows["quality"].max() - rows["quality"].mean())
    assert found["score"].regret.value == pytest.approx(regrets["score"].mean())
    assert found["score"].settings == 1 and np.isnan(found["score"].regret.low)
    with pytest.raises(UserError, match="No group has two"):
        choose_within(table.iloc[6:], SCORES, "quality", "group", fit=FEW)


def test_groups_of_one_unit_are_resampled_together():
    """The checkpoints of ten seeds of twelve settings are no more than twelve choices."""
    table = runs(12, seeds=10)
    later = table.assign(quality=table["quality"] + np.repeat(np.arange(12.0), 10))
    twice, widths = pd.concat([table, later]), {}
    for unit, settings in (("setting", 12), ("run", 120)):
        _, found = choose_within(twice, {"score": by("score")}, "quality", "run", unit, FEW)
        assert found["score"].settings == settings
        widths[unit] = found["score"].regret.high - found["score"].regret.low
    assert widths["setting"] > 2 * widths["run"]


@pytest.mark.parametrize("k", [0, 31])
def test_more_candidates_than_there_are_is_told(k):
    with pytest.raises(UserError, match="cannot be drawn of 30"):
        choose(runs(), SCORES, "quality", k, FEW)


def test_words_make_a_verdict():
    assert of_words(["better", "better"]) == "supported"
    assert of_words(["better", "worse"]) == of_words(["better", "cannot tell"]) == "partly"
    assert of_words(["worse", "cannot tell"]) == "not"
    assert of_words(["cannot tell", "too few"]) == of_words([]) == "cannot tell"


def test_columns_are_turned_by_their_cards():
    table = pd.DataFrame({"rankme": [2.0, 1], "kmeans_inertia": [2.0, 1], "own_loss": [2.0, 1]})
    assert by("rankme")(table).argmax() == 0
    assert by("kmeans_inertia")(table).argmax() == by("own_loss")(table).argmax() == 1
    with pytest.raises(UserError, match="near 1"):
        by("alpha_req")


def test_scores_on_few_clips_scatter_around_the_score_as_answers_do():
    tasks = {"few:drum": 0.2, "few:event": 1 / 6, "few:vowel": 0.2}
    table = pd.DataFrame({name: [0.5, 1.0] for name in tasks})
    read = on_few_clips("few_quality_heard", tasks, 8, readings=20_000)(table)
    assert read.shape == (20_000, 2) and (read[:, 1] == 1).all()
    assert read[:, 0].mean() == pytest.approx(0.5, abs=0.003)
    # Three domains of one task each, of 40, 48 and 40 clips.
    expected = (0.25 * (1 / 40 + 1 / 48 + 1 / 40)) / 9
    assert read[:, 0].var() == pytest.approx(expected, rel=0.05)
