"""Experiments of our own, as chapters read them: what runs gain over their untrained encoders.

A run's gain is its last step less its own step 0, in points. Two arms of a sweep are compared seed
by seed: equal seeds begin alike, so that the luck of the start drops out of the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.common.places import SWEEPS
from dasheng_lib.metrics.intervals import t_interval
from dasheng_lib.results.recorded import FOLDER, read_results
from dasheng_lib.scaling.design import read_noise
from dasheng_lib.scaling.rows import last_checkpoints
from dasheng_lib.sweep.recorded import configs, gains, read_sweep

AVERAGES = {
    "quality_heard": "linear, heard",
    "quality_unheard": "linear, never heard",
    "knn_quality_heard": "k-NN, heard",
    "knn_quality_unheard": "k-NN, never heard",
}
BY_DOMAIN = {
    f"{probe}quality_{domain}": f"{name}, {domain}"
    for probe, name in (("", "linear"), ("knn_", "k-NN"))
    for domain in ("speech", "music", "environment")
}
TITLES = AVERAGES | BY_DOMAIN | {"quality": "linear probe", "knn_quality": "k-NN"}
OBJECTIVES = {"dasheng": "MAE", "simclr": "SimCLR", "byol": "BYOL", "supervised": "labels"}
OBJECTIVES |= {"ssast": "SSAST", "hubert": "HuBERT", "wav2vec2": "Wav2Vec2"}
NETWORKS = {"96x4x3": "transformer", "sfnfnet-16": "SF-NFNet"}
EVERY, QUARTER = "all three", "a quarter of each"  # what was heard; else one domain
LEVEL = 0.05  # share of comparisons beyond noise if nothing differs


@dataclass(frozen=True)
class Difference:
    """A difference in points, and what it has to be judged by.

    Attributes:
        mean: over seeds; NaN if there is none.
        low, high: Student's 95 % interval over seeds; NaN of fewer than two.
        noise: what the luck of so many seeds makes of two equal means, 95 times of 100.
        seeds: how many.
    """

    mean: float
    low: float
    high: float
    noise: float
    seeds: int

    @property
    def beyond(self) -> int:
        """1 or -1 beyond the noise and with an interval, if any, on one side of zero; else 0."""
        if not abs(self.mean) > self.noise or self.low <= 0 <= self.high:
            return 0
        return 1 if self.mean > 0 else -1

    def __str__(self) -> str:
        half = "" if np.isnan(self.low) else f"\u00a0±\u00a0{(self.high - self.low) / 2:.1f}"
        return "" if not self.seeds else f"{self.mean:+.1f}{half}"


def runs(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """The trained runs of a recorded sweep; no row where nothing is recorded.

    Returns:
        A row a run: ``objective, network, heard, hours, hours_seen, seed, state``, and its gain by
        each of :data:`TITLES`; ``attrs`` of the record. ``hours`` is what differs, ``hours_seen``
        what was heard with repetitions.
    """
    record = read_results(name, folder)
    if not len(record):
        return pd.DataFrame(columns=["objective", "network", "heard", "seed", "state", *TITLES])
    table, made = read_sweep(name, folder), configs(name, folder)
    last = last_checkpoints(table).set_index("run")
    last = last[last["step"] > 0]  # what has just begun has gained nothing yet
    found = pd.DataFrame(
        {
            "objective": last["family"].replace(OBJECTIVES),
            "network": last["preset"].replace(NETWORKS),
            "heard": [
                made[run].get("only_domain") or (QUARTER if "quarter" in factor else EVERY)
                for run, factor in last["factor"].items()
            ],
            "hours": last["data_hours"],
            **{column: last[column] for column in ("hours_seen", "seed", "state")},
            **{measure: 100 * gains(table, measure).reindex(last.index) for measure in TITLES},
        }
    )
    found.attrs.update(record.attrs)
    return found


def seed_noise() -> dict[str, float]:
    """Deviation between runs that differ in their seed alone, in points, by measure.

    Of the averages by ``desk_noise.csv``; a domain's average is of a third of the tasks, and has
    twice that of the heard ones (a choice made before the runs, see ``domains.yml``).
    """
    noise = read_noise(SWEEPS / "desk_noise.csv")
    sd = dict(zip(noise.measures, noise.seed.tolist(), strict=True))
    row = {m: m.replace("knn_quality", "knn").replace("quality", "linear") for m in TITLES}
    own = {m: sd[row[m]] for m in AVERAGES}
    return own | {m: 2 * sd[f"{row[m].split('_')[0]}_heard"] for m in BY_DOMAIN}


def luck(measure: str, seeds: int, others: int) -> float:
    """Points that equal means of so many seeds each lie apart at most, 95 times of 100."""
    if not (seeds and others):
        return np.nan
    sd = seed_noise().get(measure, np.nan)
    return float(stats.norm.ppf(1 - LEVEL / 2) * sd * np.sqrt(1 / seeds + 1 / others))


def gain(rows: pd.DataFrame, measure: str) -> Difference:
    """What runs that differ in their seed alone have gained."""
    return _judged(rows[measure], measure)


def apart(rows: pd.DataFrame, others: pd.DataFrame, measure: str) -> Difference:
    """How much more runs gain than others of the same seeds; seeds of one side are left out."""
    mine, theirs = (r.set_index("seed")[measure] for r in (rows, others))
    return _judged(mine - theirs, measure)


def _judged(points: pd.Series, measure: str) -> Difference:
    points = points.dropna()
    low, high = t_interval(points.to_numpy()) if len(points) > 1 else (np.nan, np.nan)
    return Difference(
        float(points.mean()), low, high, luck(measure, *2 * [len(points)]), len(points)
    )


def table_of(groups: Mapping[str, pd.DataFrame], measures: Iterable[str]) -> pd.DataFrame:
    """Gains as text, a row a group, and the noise that as many seeds as the largest has leave."""
    measures = list(measures)
    rows = {
        name: {TITLES[m]: str(gain(group, m)) for m in measures} for name, group in groups.items()
    }
    most = max(groups.values(), key=len)
    noise = {TITLES[m]: f"{gain(most, m).noise:.1f}" for m in measures}
    return pd.DataFrame.from_dict(rows | {f"noise of {len(most)} seeds": noise}, orient="index")


def compared(
    own: pd.DataFrame,
    each: str,
    column: str,
    first: str,
    others: Iterable[str],
    measures: Iterable[str],
) -> dict[str, Difference]:
    """One kind of run against others, within each objective or network; absent kinds are left out.

    Args:
        own: of :func:`runs`.
        each: the column within whose values is compared.
        column: what differs; ``first`` and ``others`` are values of it.
    """
    found = {}
    for value, rows in own.groupby(each, sort=False):
        sides = dict(list(rows.groupby(column)))
        for other in [name for name in others if {first, name} <= set(sides)]:
            for measure in measures:
                one = apart(sides[first], sides[other], measure)
                if one.seeds:
                    found[f"{value}, {other}, {TITLES[measure]}"] = one
    return found


def scores(
    name: str, own: pd.DataFrame, groups: Mapping[str, pd.DataFrame], free: pd.DataFrame
) -> pd.DataFrame:
    """Averages in percent: log-mel, untrained networks, and trained groups, means over seeds.

    Args:
        name: of the record that ``own`` is of.
        groups: rows of ``own``.
        free: of :func:`dasheng_lib.sweep.recorded.baselines`.
    """
    table, columns = read_sweep(name), list(AVERAGES)
    start = table[table["step"] == 0].set_index("run").loc[own.index, columns]
    last = last_checkpoints(table).set_index("run")[columns]
    rows = {"log-mel": free.loc["log-mel", columns].astype(float)}
    for network, begun in start.groupby(own["network"], sort=False):
        rows[f"untrained {network}"] = begun.mean()
    rows |= {group: last.loc[runs.index].mean() for group, runs in groups.items()}
    return 100 * pd.DataFrame.from_dict(rows, orient="index").rename(columns=AVERAGES)
