"""The registered rules: text and code agree, every word can be said, none too often."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.answers import answer, judge_sweep, plan, slope_words
from dasheng_lib.scaling.rules import (
    PATH,
    association_words,
    claim_words,
    curve_words,
    holm,
    read_rules,
)
from dasheng_lib.scaling.settings import layout, rows_to_judge, untrained, with_gain
from dasheng_lib.scaling.slope import slope

RULES = read_rules()
NONE = "no relation that matters"


def only(words):
    (word,) = set(words)
    return word


def test_sentences_state_the_thresholds_that_the_code_uses(tmp_path):
    text = PATH.read_text()
    other = tmp_path / "rules.yml"
    other.write_text(
        text.replace("matters: 1.0", "matters: 2.5").replace("spread: 1.5", "spread: 9")
    )
    moved = read_rules(other)
    assert (moved.matters, moved.spread) == (2.5, 9)
    assert "of 4 settings or more" in moved.how["association"]
    assert "{" not in "".join([*moved.how.values(), *moved.words["association"].values()])
    assert "+2.5 points" in moved.words["association"][NONE]
    assert "below 9 points" in moved.words["one_curve"]["one curve"]
    # A slope that surely lies between 1 and 2.5: the rules decide.
    said = [
        association_words(np.array([1.5]), np.array([1e-6]), np.array([p]), r)[0]
        for r, p in ((RULES, 0.99), (moved, 1e-6))
    ]
    assert said == ["rises", NONE]
    other.write_text(text.replace("  spread: 1.5", "  sprawl: 1.5"))
    with pytest.raises(UserError, match="not a file of rules"):
        read_rules(other)
    other.write_bytes(b"thresholds: [\xff")
    with pytest.raises(UserError, match=r"rules.yml is not YAML"):
        read_rules(other)
    with pytest.raises(UserError, match=r"nothing.yml cannot be read .*: run from a checkout"):
        read_rules(tmp_path / "nothing.yml")


def test_the_words_of_the_text_are_those_of_the_code_and_all_can_be_said():
    grid = itertools.product((-2.0, 2.0), (1e-4, 0.5, np.nan), (1e-4, 0.5, np.nan))
    association = set(association_words(*np.array(list(grid)).T, RULES))
    pairs = itertools.product((1e-4, 0.5, np.nan), (1e-4, 0.5, np.nan))
    curve = set(curve_words(*np.array(list(pairs)).T, RULES))
    three = np.array(list(itertools.product(association, association, curve)), object).T
    said = yaml.safe_load(PATH.read_text())
    found = {"association": association, "one_curve": curve, "claim": set(claim_words(*three))}
    for name, words in found.items():
        assert words == set(said[name]["words"]) == set(RULES.words[name])


@pytest.mark.parametrize(
    ("pooled", "within", "curve", "word"),
    [
        ("rises", "rises", "one curve", "supported"),
        ("rises", "rises", "cannot tell", "cannot tell"),
        ("rises", "cannot tell", "one curve", "cannot tell"),
        ("cannot tell", "rises", "one curve", "cannot tell"),
        ("rises", "rises", "several curves", "partly"),
        ("rises", NONE, "one curve", "partly"),
        ("cannot tell", "rises", "several curves", "partly"),
        ("rises", "falls", "one curve", "not"),
        ("cannot tell", "falls", "cannot tell", "not"),
        ("falls", "rises", "one curve", "not"),
        (NONE, "cannot tell", "one curve", "not"),
        ("cannot tell", NONE, "several curves", "not"),
        ("rises", "cannot tell", "several curves", "cannot tell"),
        ("cannot tell", "cannot tell", "several curves", "cannot tell"),
        ("falls", NONE, "one curve", "not"),
    ],
)
def test_a_claim_is_what_three_words_say_together(pooled, within, curve, word):
    assert claim_words(*(np.array([w], object) for w in (pooled, within, curve)))[0] == word


def test_holms_correction_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([[0.04, 0.5], [0.6, 0.01]])) == pytest.approx(
        np.array([[0.08, 0.5], [0.6, 0.02]])
    )
    assert holm(np.array([np.nan, 0.02])) == pytest.approx([1.0, 0.04])


def test_measures_that_are_judged_together_are_corrected_and_an_arm_alone_is_not():
    x = np.linspace(3, 6, 30)
    y = 40 * np.random.default_rng(0).normal(
        size=(40, 30)
    )  # some slopes are sure alone, none of forty
    s = slope(x, y)
    assert (s.p <= 0.05).any() and not (holm(s.p) <= 0.05).any()
    assert set(slope_words(s, RULES)) == {"cannot tell"}
    assert set(slope_words(s, RULES, alone=True)) > {"cannot tell"}


ARMS = {"mask": (8, 0.5), "width": (8, 2.0), "depth": (6, 1.0), "rate": (8, 2.5), "data": (6, 0.8)}


def sweep(law, seed=0, seeds=2, luck=0.5, offsets=None, slopes=None):
    """Arms of settings around a base point; ``law`` of log2 of rank in points."""
    rng = np.random.default_rng(seed)
    rows = []
    for place, (arm, (count, reach)) in enumerate({"base": (1, 0.0), **ARMS}.items()):
        for i in range(count):
            x = 5 + (0 if count == 1 else np.linspace(-reach, reach, count)[i])
            y = law(x) + (offsets or {}).get(arm, 0) + (slopes or {}).get(arm, 0) * (x - 5)
            for s in range(seeds):
                rows.append(
                    {
                        "run": f"{arm}-{i}/{s}",
                        "setting": f"{arm}-{i}",
                        "factor": arm,
                        "family": "dasheng",
                        "width": 96 + place,
                        "depth": i + 1,
                        "seed": s,
                        "step": 100,
                        "state": "healthy",
                        "rankme": 2 ** (x + rng.normal(0, 0.02)),
                        "quality": (y + rng.normal(0, luck)) / 100,
                    }
                )
    return pd.DataFrame(rows)


def words(table):
    found = judge_sweep(table, ["quality"])
    return found.set_index("scope")["word"]


def power(x):
    return 45 * 2 ** (0.1 * (x - 5))


def test_a_sweep_on_one_curve_supports_the_claim():
    found = words(sweep(power))
    assert only(found[["pooled", "within arms", "mask", "width"]]) == "rises"
    assert found["one curve"] == "one curve" and found["claim"] == "supported"


def test_quality_that_rank_does_not_move_is_said_to_have_no_relation():
    found = words(sweep(lambda x: 45.0))
    assert only(found[["pooled", "within arms"]]) == NONE and found["claim"] == "not"
    found = words(sweep(lambda x: 45 + 0.5 * x, luck=0.1))  # surely there, and surely less
    assert only(found[["pooled", "within arms"]]) == NONE
    found = words(sweep(lambda x: 45.0, luck=6))
    assert only(found[["pooled", "within arms", "one curve", "claim"]]) == "cannot tell"


def test_quality_that_falls():
    found = words(sweep(lambda x: 60 - 3 * x))
    assert only(found[["pooled", "within arms", "rate"]]) == "falls"
    assert found["one curve"] == "one curve" and found["claim"] == "not"


def test_arms_of_their_own_levels_or_slopes_lie_on_several_curves():
    levels = words(sweep(power, offsets={"mask": 3, "width": -3}))
    assert levels["one curve"] == "several curves" and levels["claim"] == "partly"
    slopes = sweep(power, slopes={"width": 4})
    assert words(slopes)["one curve"] == "several curves"
    near = words(sweep(power, offsets={"mask": 0.5, "width": -0.5}, luck=0.2))
    assert near["one curve"] == "one curve"  # they differ, and surely by less than matters


def test_an_arm_that_falls_is_told_apart():
    found = words(sweep(power, slopes={"rate": -6}))
    assert found["rate"] == "falls" and found["width"] == "rises"
    assert found["one curve"] == "several curves"


def test_arms_are_asked_together_at_levels_of_their_own():
    table = sweep(power, seeds=1, luck=1.2)
    small = table["factor"] == "data"
    table.loc[small, "factor"] = "mask-small"
    table.loc[small, "quality"] -= 0.1
    found = judge_sweep(table, ["quality"]).set_index("scope")
    both = found.loc["masking at equal capacity"]
    arms = found.loc[["mask", "mask-small"]]
    assert both["settings"] == 15 and arms["value"].min() < both["value"] < arms["value"].max()
    rows = table[table["factor"].isin(["base", "mask", "mask-small"])]
    # The base point is of both arms, and its level halfway.
    small = rows["factor"].map({"base": 0.5, "mask": 0.0, "mask-small": 1.0})
    design = np.column_stack([np.log2(rows["rankme"]), small, np.ones(len(rows))])
    fitted = np.linalg.lstsq(design, 100 * rows["quality"], rcond=None)[0]
    assert both["value"] == pytest.approx(fitted[0])
    assert "masking at equal capacity" not in words(sweep(power))


def test_a_rise_between_arms_is_none_within_them():
    table = sweep(lambda x: 60 - 3 * x, luck=0.2)
    table = table[table["factor"].isin(["mask", "depth", "data"])]
    for arm, shift in (("mask", 0.0), ("depth", 2.0), ("data", 4.0)):
        own = table["factor"] == arm
        table.loc[own, "rankme"] *= 2**shift
        table.loc[own, "quality"] += 0.03 * shift
    found = judge_sweep(table, ["quality"]).set_index("scope")
    assert found.loc["pooled", "word"] == "rises"
    assert found.loc["within arms", "word"] == "falls" and found.loc["claim", "word"] == "not"
    assert found.loc["within arms", "value"] == pytest.approx(-3, abs=0.3)


def test_ranks_that_leave_a_third_of_their_range_empty_cannot_tell():
    table = sweep(power)
    rate = table["factor"].isin(["rate", "width", "depth"])
    few = table[~rate | table["setting"].isin(["rate-0", "rate-7", "width-1"])]
    found = words(few)
    assert found["pooled"] == "cannot tell" and "mask" in found


def test_seeds_are_no_further_settings():
    table = sweep(power, seeds=1, luck=2)
    copies = [table.assign(run=table["run"] + f"+{i}", seed=i) for i in range(6)]
    one, six = (judge_sweep(t, ["quality"]) for t in (table, pd.concat(copies)))
    same = ["word", "value", "low", "high", "p", "p_margin", "settings"]
    pd.testing.assert_frame_equal(one[same], six[same])
    assert (six["runs"] == 6 * one["runs"]).all()


def test_which_rows_are_judged():
    last = sweep(power, seeds=2)
    start = last.assign(step=0, state="untrained", quality=0.3, rankme=90.0)
    early = last.assign(step=50, quality=0.4)
    table = pd.concat([start, early, last], ignore_index=True)
    table.loc[(table["run"] == "mask-3/0") & (table["step"] == 100), "state"] = "collapsed"
    rows = rows_to_judge(table, "rankme", ["quality"], snapshots=False)
    assert set(rows["run"]) == set(last["run"]) - {"mask-3/0"} and (rows["step"] == 100).all()
    rows = rows_to_judge(table, "rankme", ["quality"])
    steps = rows[rows["factor"] == "snapshots"]
    assert len(steps) == 2 and len(rows) == len(last) + 1
    assert set(steps["setting"]) == {"base-0@50"} and (steps["quality"] == 0.4).all()
    stateless = rows_to_judge(table.drop(columns="state"), "rankme", ["quality"])
    assert len(stateless) == len(last) + 2 and (stateless["step"] > 0).all()
    gained = with_gain(table, ["quality"])
    assert gained.loc[gained["step"] == 0, "quality_gain"].eq(0).all()
    assert gained.loc[gained["step"] == 50, "quality_gain"].to_numpy() == pytest.approx(0.1)


def test_families_are_arms_and_the_first_has_none():
    rows = pd.DataFrame(
        {
            "run": list("abcd"),
            "setting": list("abcd"),
            "factor": ["seed+mask+family", "mask", "family", "width+family"],
            "family": ["dasheng", "dasheng", "hubert", "ssast"],
            "step": 9,
            "rankme": 5.0,
            "q": 0.5,
        }
    )
    named = rows_to_judge(rows, "rankme", ["q"])["factor"]
    assert named.tolist() == ["seed+mask", "mask", "hubert", "width+ssast"]


def test_untrained_encoders_count_once_and_are_asked_the_same():
    last = sweep(power)
    start = last.assign(step=0, state="untrained")
    twins = start.assign(run=start["run"] + "-twin")
    table = pd.concat([start, twins, last, last.assign(run=twins["run"])], ignore_index=True)
    own = untrained(table, "rankme", ["quality"])
    assert len(own) == len(last) and own["quality"].mean() == pytest.approx(last["quality"].mean())
    found = words(table)
    assert found["untrained"] == "rises"
    gain = judge_sweep(with_gain(table, ["quality"]), ["quality_gain"])
    assert "untrained" not in set(gain["scope"])  # theirs is 0 by definition
    assert gain.set_index("scope").loc["pooled", "word"] == NONE


def test_base_runs_are_of_every_arm_by_equal_shares():
    laid = layout(sweep(power))
    share = laid.shares(2)
    assert laid.arms == tuple(ARMS) and share.shape == (37, 5)
    assert share[0] == pytest.approx(np.full(5, 0.2)) and share.sum(1) == pytest.approx(np.ones(37))
    alone = pd.DataFrame({"setting": list("abc"), "factor": ["mask", "mask", "lone"]})
    assert layout(alone).shares(2)[2] == pytest.approx([0, 1])  # "other"


def test_no_relation_is_seldom_taken_for_one():
    """150 sweeps without a relation, arms at levels of their own, settings of unequal luck."""
    table = sweep(power, seeds=1)
    laid, rng = layout(table), np.random.default_rng(0)
    x_N = np.log2(table["rankme"].to_numpy())
    rules = replace(RULES, permutations=199)
    planned = plan(laid, rules)
    sd_N = np.where(laid.in_NA[:, 0], 2.0, 0.7)
    wrong = np.zeros(3)
    trials = 150
    for _ in range(trials):
        y_MN = rng.normal(0, sd_N, (4, len(x_N)))
        flat = answer(x_N, y_MN, planned).words
        moved = answer(x_N, y_MN + planned.levels_NA @ np.array([9, 0, -9, 5, 2]), planned)
        said = (flat["pooled"], moved.words["within arms"], flat["one curve"])
        wrong += [np.isin(w, ["rises", "falls", "several curves"]).any() for w in said]
    assert (wrong[:2] <= stats.binom.ppf(0.999, trials, RULES.alpha)).all(), wrong
    assert wrong[2] <= stats.binom.ppf(0.999, trials, 2 * RULES.alpha), wrong  # F wants equal luck
