"""Which recipe is the base, and the rate of each size and family, by rules written before.

See data_manifests/sweeps/base.yml and desk.yml.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.rows import last_checkpoints

FLOORS, SEEDS = 2.0, 3
KINDS, MEASURES = ["family", "preset"], ["quality", "knn_quality"]


def tuned_rates(table: pd.DataFrame) -> pd.DataFrame:
    """The rate of each family and size whose run explains most of the exam of its own task.

    Args:
        table: rows of a sweep: ``run, factor, family, preset, lr, seed, step, explained, state``.
            Runs of seed 0 in the arms over rates count (see :func:`over_rates`), each by its
            last row and only where that is healthy.

    Returns:
        A row a family and size: ``family, preset, lr, explained``, and ``inside``, whether a
        lower and a higher rate were tried too, so that the best may be taken for the best.

    Raises:
        ValueError: no run of some family and size is healthy.
    """
    last = last_checkpoints(table)
    last = last[last["factor"].map(over_rates) & (last["seed"] == 0)]
    rows = []
    for kind, runs in last.groupby(KINDS, sort=False):
        healthy = runs[runs["state"] == "healthy"]
        if healthy.empty:
            raise ValueError(f"no healthy run of {' '.join(kind)}: try other rates")
        best = healthy.loc[healthy["explained"].idxmax()]
        inside = runs["lr"].min() < best["lr"] < runs["lr"].max()
        rows.append({**best[[*KINDS, "lr", "explained"]], "inside": bool(inside)})
    return pd.DataFrame(rows)


def over_rates(factor: str) -> bool:
    """Whether runs of this factor tell the rates of a size or family apart."""
    return any(arm in ("base", "family") or arm.startswith("rate") for arm in factor.split("+"))


def base_trials(table: pd.DataFrame, logmel: pd.Series) -> pd.DataFrame:
    """What each recipe of a sweep gains, and which of them learn; the cheapest first.

    Of equally cheap ones, that which explains most of the exam.

    Args:
        table: rows of a sweep: ``run, setting, step, seed, flops, explained, quality,
            knn_quality``.
        logmel: the two qualities of log-mel statistics under the same protocol.

    Returns:
        A row a recipe, by setting: ``seeds, flops, explained`` (a share); of each quality the
        mean at the end, ``gain`` over its own untrained encoders and over log-mel (``above
        log-mel``), and the ``floor`` between means of so many seeds, NaN where no recipe has two;
        all in points. ``learns`` is the rule's word.
    """
    table = table[["run", "setting", "step", "seed", "flops", "explained", *MEASURES]]
    last = last_checkpoints(table).set_index("run")
    first = table[table["step"] == 0].set_index("run")
    rows = {}
    for setting, runs in last.groupby("setting", sort=False):
        row: dict[str, float] = {"seeds": len(runs), "flops": float(runs["flops"].iloc[0])}
        row["explained"] = runs["explained"].mean()
        passes = [len(runs) >= SEEDS]
        for measure in MEASURES:
            mean = runs[measure].mean()
            gain = mean - first.loc[runs.index, measure].mean()
            above = mean - logmel[measure]
            floor = _floor(last, measure, len(runs))
            passes.append(min(gain, above) > FLOORS * floor)
            names = (measure, f"{measure} gain", f"{measure} above log-mel", f"{measure} floor")
            row |= {n: 100 * v for n, v in zip(names, (mean, gain, above, floor), strict=True)}
        rows[setting] = {**row, "learns": all(passes)}
    found = pd.DataFrame.from_dict(rows, orient="index")
    return found.sort_values(["flops", "explained"], ascending=[True, False], kind="stable")


def _floor(last: pd.DataFrame, measure: str, seeds: int) -> float:
    try:
        return retrain_floor(last.reset_index(), measure, log=False).smallest_of_means(seeds)
    except UserError:  # no setting has two seeds
        return float(np.nan)
