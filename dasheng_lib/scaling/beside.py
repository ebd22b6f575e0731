"""What stands beside the answers and is no part of them: the form.

Shapes: K columns of a design, N settings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize

from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.settings import Settings, rows_to_judge
from dasheng_lib.scaling.slope import orthonormal


def form_errors(table: pd.DataFrame, measures: Sequence[str], x: str = "rankme") -> pd.DataFrame:
    """Root mean squared error, in points, of each form at settings it was not fitted to.

    A row a measure, a column a form, by least squares. A power law is never 0 or below: it is NaN
    for a gain that is.
    """
    s = Settings.of(rows_to_judge(table, x, measures), measures, x)
    one_N, rank_N = np.ones_like(s.x_N), 2**s.x_N
    designs = {"logarithmic": [one_N, s.x_N], "linear": [one_N, rank_N], "constant": [one_N]}
    found = {"power": [_power_error(rank_N, y_N) for y_N in s.y_MN]}
    for name, columns in designs.items():
        found[name] = [_error(np.column_stack(columns), y_N) for y_N in s.y_MN]
    return pd.DataFrame(found, index=list(measures))


def _error(X_NK: Array, y_N: Array) -> float:
    """Of a linear form: a residual over 1 less its leverage is the error where it is held out."""
    basis_NK = orthonormal(X_NK)
    left_N = y_N - basis_NK @ (basis_NK.T @ y_N)
    return float(np.sqrt(np.mean((left_N / (1 - (basis_NK**2).sum(1))) ** 2)))


def _power_error(rank_N: Array, y_N: Array) -> float:
    if y_N.min() <= 0:
        return np.nan
    start = np.polyfit(np.log(rank_N), np.log(y_N), 1)[::-1]
    errors = []
    for held in range(len(y_N)):
        kept = np.arange(len(y_N)) != held
        fitted = optimize.least_squares(
            lambda theta, kept=kept: y_N[kept] - np.exp(theta[0]) * rank_N[kept] ** theta[1],
            start,
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        ).x
        errors.append(y_N[held] - np.exp(fitted[0]) * rank_N[held] ** fitted[1])
    return float(np.sqrt(np.mean(np.square(errors))))
