"""The exponent of every task, or domain, by itself: do all rise with rank?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.descend import Scale
from dasheng_lib.scaling.fit import DELTA, fit_form, fit_weighted
from dasheng_lib.scaling.forms import POWER
from dasheng_lib.scaling.rows import codes, usable


def exponents(
    table: pd.DataFrame,
    columns: Sequence[str],
    x: str = "rankme",
    *,
    cluster: str = "run",
    scale: Scale = "log",
    delta: float = DELTA,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The power law of each column over ``x``, with intervals from resampled runs.

    Intervals are of each column alone: of twenty tasks one is expected outside its own.

    Returns:
        A row a column: ``b, low, high, runs, rows``.

    Raises:
        UserError: a column is absent, or nothing is left of it.
    """
    found = {}
    for name in columns:
        rows = usable(table, [x, name])
        x_N, y_N = rows[x].to_numpy(float), rows[name].to_numpy(float)
        code_N, runs = codes(rows[cluster])
        # The same seed for all: columns without gaps share their resamples.
        counts_BG = bootstrap.draw_runs(runs, draws, np.random.default_rng(seed))
        how = {"scale": scale, "delta": delta}
        best = fit_form(POWER, x_N, y_N, **how)
        drawn = fit_weighted(POWER, x_N, y_N, counts_BG[:, code_N], around=best, **how)
        b = bootstrap.interval(
            best.parameters_BP[0, 1], drawn.parameters_BP[:, 1], runs, spent=2, level=level
        )
        found[name] = {"b": b.value, "low": b.low, "high": b.high, "runs": runs, "rows": len(rows)}
    return pd.DataFrame.from_dict(found, orient="index")
