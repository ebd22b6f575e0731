"""The sweep that one core does in an evening: what is held equal, and at which rates."""

from collections import defaultdict

import numpy as np

from dasheng_lib.common.places import SWEEPS
from dasheng_lib.masking import kept_tokens
from dasheng_lib.model import token_count
from dasheng_lib.results import read_results
from dasheng_lib.scaling.design import read_noise
from dasheng_lib.scaling.rules import read_rules
from dasheng_lib.scaling.settings import Settings, rows_to_judge
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.rates import tuned_rates
from dasheng_lib.sweep.recorded import read_sweep

AVERAGES = ["quality_heard", "quality_unheard", "knn_quality_heard", "knn_quality_unheard"]
GRID = read_grid(SWEEPS / "evening.yml")
ARMS = defaultdict(list)
for trial in GRID.trials:
    for arm in trial.factor.split("+"):
        ARMS[arm].append(trial)
RATE_ARMS = [arm for arm in ARMS if arm.startswith("rate")]


def kind(trial):
    return trial.config.family, trial.config.preset


RATES = defaultdict(set)
for trial in GRID.trials:
    RATES[kind(trial)].add(trial.config.train.lr)
TUNED = {k: rates for k, rates in RATES.items() if len(rates) >= 3}


def only_tries_a_rate(trial):
    if trial.config.family != "dasheng":
        return kind(trial) in TUNED
    return all(arm == "base" or arm.startswith("rate") for arm in trial.factor.split("+"))


def nearest(trial):
    """The tuned size of its family that is nearest in width."""
    width = [int(size.split("x")[0]) for _, size in [kind(trial), *TUNED]]
    own = [k for k in TUNED if k[0] == trial.config.family]
    far = dict(zip(TUNED, np.abs(np.log(np.divide(width[1:], width[0]))), strict=True))
    return min(own, key=far.__getitem__)


def test_what_is_no_arm_of_its_own_is_held_equal():
    heard = {
        (t.config.batch * t.config.clip_seconds * t.config.train.steps)
        for t in GRID.trials
        if "steps" not in t.factor.split("+")
    }
    assert np.ptp(list(heard)) < 1e-6 * max(heard)
    assert {t.corpus for t in GRID.trials} == {"pocket"}
    assert GRID.protocol == read_grid(SWEEPS / "objectives.yml").protocol
    looks = {tuple(round(7 * s / t.config.train.steps, 1) for s in t.steps) for t in GRID.trials}
    assert looks == {(0, 1, 3, 7)}


def test_every_arm_can_be_judged_by_itself_and_masks_differ_in_tokens():
    settings = {arm: {t.setting for t in trials} for arm, trials in ARMS.items()}
    families = {t.config.family for t in ARMS["family"]} - {"dasheng"}
    for family in families:
        settings[family] = {t.setting for t in ARMS["family"] if t.config.family == family}
    least = read_rules().arm_settings
    few = {arm for arm, own in settings.items() if len(own) < least}
    assert few <= {"base", "seed", *RATE_ARMS} and families
    tokens = token_count(round(GRID.trials[0].config.clip_seconds * 16_000))
    ratios = {t.config.task.mask_ratio for t in ARMS["mask"]}
    assert len({kept_tokens(tokens, ratio, 2) for ratio in ratios}) == len(ratios) >= 8


def test_rates_come_first_and_all_else_takes_that_of_the_nearest_tuned_size():
    first = [arm.split("+")[0] in ("base", *RATE_ARMS) for arm in (t.factor for t in GRID.trials)]
    assert first == sorted(first, reverse=True)
    for rates in TUNED.values():
        np.testing.assert_allclose(np.diff(np.log2(sorted(rates))), 1.0)
    taken = defaultdict(set)
    for trial in GRID.trials:
        if not only_tries_a_rate(trial):
            taken[nearest(trial)].add(trial.config.train.lr)
    assert set(taken) == set(TUNED) and all(len(rates) == 1 for rates in taken.values())
    assert all(taken[k] <= TUNED[k] for k in TUNED)


def test_the_rates_are_those_of_the_rule():
    """Of every width and family whose rates were tried, also where the best was at an edge."""
    tuned = tuned_rates(read_results("evening")).set_index(["family", "preset"])
    for trial in GRID.trials:
        if not only_tries_a_rate(trial):
            assert trial.config.train.lr == tuned.at[nearest(trial), "lr"], trial.run


def test_it_is_recorded_whole_and_with_early_looks():
    record = read_results("evening")
    assert list(record["run"].unique()) == [trial.run for trial in GRID.trials]
    steps = record.groupby("run")["step"].agg(set)
    for trial in GRID.trials:
        assert {0, trial.config.train.steps} <= steps[trial.run] <= set(trial.steps)
    arms = record.groupby("run")["factor"].first()
    assert arms.to_dict() == {trial.run: trial.factor for trial in GRID.trials}


def test_its_noise_is_that_of_recorded_seeds():
    degrees, variances = [], []
    for name in ("objectives", "objectives_card", "domains", "sweep", "sweep_card"):
        rows = read_sweep(name)
        alike = rows["family"].isin({t.config.family for t in GRID.trials})
        rows = rows[alike & ~rows["preset"].str.startswith("sfnfnet")]
        s = Settings.of(rows_to_judge(rows, "rankme", AVERAGES, False), AVERAGES, "rankme")
        if s.degrees:
            degrees.append(s.degrees)
            variances.append([*s.noise_M, s.rank_noise])
    noise = read_noise(SWEEPS / "evening_noise.csv")
    found = np.sqrt(np.average(variances, axis=0, weights=degrees))
    np.testing.assert_allclose([*noise.seed, noise.rank], found, rtol=0.1)
