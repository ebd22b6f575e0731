"""What ``dasheng evaluate`` shows of each task: its score, an interval, chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd

from dasheng_lib.metrics.intervals import t_interval, wilson_interval
from dasheng_lib.tasks.task import ALL_SLOTS, POOLED

PAIR = ["task", "encoder", "probe"]


@contextmanager
def so_far(chance: Mapping[str, float] | None = None) -> Iterator[list[pd.DataFrame]]:
    """A list for tables; what is in it is shown if the block does not come to its end."""
    tables: list[pd.DataFrame] = []
    try:
        yield tables
    except BaseException:
        if tables:
            print(f"until here, of what was asked for:\n{details(pd.concat(tables), chance or {})}")
        raise


def chance_of(rows: pd.DataFrame, classes: float) -> dict[str, float]:
    """What the commonest class gets on a task, by its name; 1 / classes of a share if that is more.

    Args:
        rows: of the probe ``majority``.
    """
    own = _own(rows)
    (task,), (metric,) = own["task"].unique(), own["metric"].unique()
    least = 1 / classes if metric in ("top1_acc", POOLED) else -np.inf
    return {task: max(own["score"].mean(), least)}


def details(table: pd.DataFrame, chance: Mapping[str, float]) -> str:
    """A row for each task, encoder and probe, in %: means over folds and seeds.

    Where the score is a share of clips ``low`` and ``high`` are its 95 % interval over clips
    (Wilson's, the mean over seeds); of other scores Student's over folds; else there is none.

    Args:
        table: rows of :func:`.evaluate.evaluate`, or a row a task with ``accuracy``.
    """
    rows = []
    for (task, metric, *by), part in _own(table).groupby(["task", "metric", *PAIR[1:]], sort=False):
        seeds = [seed for _, seed in part.groupby("seed", dropna=False)]
        low, high = np.mean([_interval(metric, seed) for seed in seeds], 0)
        score = np.mean([seed["score"].mean() for seed in seeds])
        percent = 100 * np.array([score, low, high, chance.get(task, np.nan)])
        clips = seeds[0]["clips"].sum()
        rows.append([task, *by, metric, *percent.round(1), len(seeds), clips])
    columns = [*PAIR, "metric", "score", "low", "high", "chance", "seeds", "clips"]
    shown = pd.DataFrame(rows, columns=columns).dropna(axis=1, how="all")
    return shown.to_string(index=False, na_rep="")


def _own(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each task's own metric, the first."""
    if "metric" not in table:
        table = table.assign(metric=POOLED, score=table["accuracy"])
    if "seed" not in table:
        table = table.assign(seed=0)
    first = table.groupby(PAIR, sort=False)["metric"].transform("first")
    return table[table["metric"] == first]


def _interval(metric: str, rows: pd.DataFrame) -> tuple[float, float]:
    """Of one seed: rows are its folds."""
    score, clips = rows["score"].to_numpy(float), rows["clips"].to_numpy(int)
    if np.isnan(score).any():
        return np.nan, np.nan
    if metric.endswith("_acc") or metric in (POOLED, ALL_SLOTS):
        return wilson_interval(round(float(score @ clips)), int(clips.sum()))
    return t_interval(score) if len(score) > 1 else (np.nan, np.nan)
