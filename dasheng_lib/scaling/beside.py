"""What stands beside the answers and is no part of them: seeds, forms, other causes.

Shapes: M measures, N settings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dasheng_lib.scaling.compare import run_errors
from dasheng_lib.scaling.forms import CONSTANT, LINEAR, LOGARITHMIC, POWER
from dasheng_lib.scaling.one_curve import lack_of_fit
from dasheng_lib.scaling.partial import partial_spearman
from dasheng_lib.scaling.settings import Settings, rows_to_judge

CONTROLS = ("params", "data_hours", "flops", "clip_seconds", "lr")


def beyond_seeds(table: pd.DataFrame, measures: Sequence[str], x: str = "rankme") -> pd.DataFrame:
    """Do settings lie off one cubic in log rank by more than their seeds explain?

    A row a measure: ``seed_sd`` in points with its ``degrees`` of freedom, ``f`` and ``p``.
    """
    s = Settings.of(rows_to_judge(table, x, measures), measures, x)
    f, p = lack_of_fit(s.x_N, s.y_MN, s.layout.seeds_N, s.noise_M, s.degrees)
    columns = {"seed_sd": np.sqrt(s.noise_M), "degrees": s.degrees, "f": f, "p": p}
    return pd.DataFrame(columns, index=list(measures))


def forms(table: pd.DataFrame, measures: Sequence[str], x: str = "rankme") -> pd.DataFrame:
    """Root mean squared error, in points, of each form at settings it was not fitted to.

    A row a measure, a column a form, by least squares. A power law is never 0 or below: it is NaN
    for a gain that is.
    """
    s = Settings.of(rows_to_judge(table, x, measures), measures, x)
    code = np.arange(len(s.x_N))

    def error(form, y_N) -> float:
        if form is POWER and y_N.min() <= 0:
            return np.nan
        how = {"scale": "raw", "delta": np.inf}
        return float(np.sqrt(run_errors(form, 2**s.x_N, y_N, code, len(code), **how).mean()))

    every = (POWER, LOGARITHMIC, LINEAR, CONSTANT)
    found = {form.name: [error(form, y_N) for y_N in s.y_MN] for form in every}
    return pd.DataFrame(found, index=list(measures))


def partials(
    table: pd.DataFrame,
    measures: Sequence[str],
    x: str = "rankme",
    controls: Sequence[str] = CONTROLS,
    **how: object,
) -> pd.DataFrame:
    """Spearman's correlation of settings, given what was set: the learning rate among it.

    A row a measure: ``plain``, ``partial`` with ``low`` and ``high``, ``p`` by permutation.
    """
    rows = rows_to_judge(table, x, measures, snapshots=None)
    means = rows.groupby("setting", as_index=False)[[x, *measures, *controls]].mean()
    out = {}
    for measure in measures:
        found = partial_spearman(means, x, measure, controls, cluster="setting", **how)
        around = found.partial
        out[measure] = {
            "plain": found.plain.value,
            "partial": around.value,
            "low": around.low,
            "high": around.high,
            "p": found.p,
        }
    return pd.DataFrame.from_dict(out, orient="index")
