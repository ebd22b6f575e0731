"""The learning rate of each size and family, by one rule; see data_manifests/sweeps/tuning.yml."""

from __future__ import annotations

import pandas as pd

KINDS = ["family", "preset"]


def tuned_rates(table: pd.DataFrame) -> pd.DataFrame:
    """The rate of each family and size whose run explains most of the exam of its own task.

    Args:
        table: rows of a sweep over rates: ``family, preset, lr, step, explained, state``. Each
            run's last row counts, and only where it is healthy.

    Returns:
        A row a family and size: ``family, preset, lr, explained``, and ``inside``, whether a
        lower and a higher rate were tried too, so that the best may be taken for the best.

    Raises:
        ValueError: no run of some family and size is healthy.
    """
    last = table[table["step"] == table.groupby("run")["step"].transform("max")]
    rows = []
    for kind, runs in last.groupby(KINDS, sort=False):
        healthy = runs[runs["state"] == "healthy"]
        if healthy.empty:
            raise ValueError(f"no healthy run of {' '.join(kind)}: try other rates")
        best = healthy.loc[healthy["explained"].idxmax()]
        inside = runs["lr"].min() < best["lr"] < runs["lr"].max()
        rows.append({**best[[*KINDS, "lr", "explained"]], "inside": bool(inside)})
    return pd.DataFrame(rows)
