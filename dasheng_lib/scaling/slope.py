"""The slope of quality over log rank: an interval for few settings, and a permutation test.

Shapes: B permutations, K columns held fixed, M measures, N settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from dasheng_lib.scaling.fit import Array


@dataclass(frozen=True, eq=False)
class Slope:
    """Slopes of M measures over one predictor.

    Attributes:
        value, error: of each, ``[M]``; the standard error is HC2.
        degrees: of freedom, Bell's and McCaffrey's.
        p: two-sided, that the slope is 0; by permutation if there were any, else Student's.
    """

    value: Array
    error: Array
    degrees: float
    p: Array

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Student's, ``[M]`` each."""
        reach = stats.t.ppf((1 + level) / 2, self.degrees) * self.error
        return self.value - reach, self.value + reach

    def p_less_than(self, matters: float) -> Array:
        """p of two one-sided tests that the slope is at least ``matters`` off 0, ``[M]``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            nearest = (matters - np.abs(self.value)) / self.error
        return _upper(nearest, self.degrees)


def slope(
    x_N: Array, y_MN: Array, fixed_NK: Array | None = None, order_BN: np.ndarray | None = None
) -> Slope:
    """Least-squares slopes of M measures over x.

    Args:
        fixed_NK: what else is in the fit, such as a column for each arm; by default a constant.
        order_BN: permutations of the settings, see :func:`permutations`. What ``fixed`` leaves of
            y is permuted, and the slope over its standard error compared (Freedman and Lane,
            J. Business & Economic Statistics 1, 1983; studentised, so that settings may differ
            in noise: DiCiccio and Romano, JASA 112, 2017).

    Returns:
        NaN where x does not vary once ``fixed`` is known, or no degree of freedom is left.
    """
    N = len(x_N)
    fixed_NK = np.ones((N, 1)) if fixed_NK is None else fixed_NK
    basis_NK = orthonormal(fixed_NK)
    left_N = x_N - basis_NK @ (basis_NK.T @ x_N)
    norm = np.linalg.norm(left_N)
    if norm < 1e-9 * max(np.linalg.norm(x_N), 1e-300) or N - basis_NK.shape[1] < 2:
        nan_M = np.full(len(y_MN), np.nan)
        return Slope(nan_M, nan_M, np.nan, nan_M)
    unit_N = left_N / norm
    full_NK = np.column_stack([basis_NK, unit_N])
    free_N = 1 - (full_NK**2).sum(1)
    # A setting that its arm fits exactly has no residual, and so says nothing.
    weight_N = np.where(free_N > 1e-9, unit_N**2 / np.maximum(free_N, 1e-9), 0.0)

    def studentised(values_SN: Array) -> tuple[Array, Array]:
        left_SN = values_SN - (values_SN @ full_NK) @ full_NK.T
        return values_SN @ unit_N, np.sqrt(left_SN**2 @ weight_N)

    value_M, error_M = studentised(y_MN)
    K_NN = np.sqrt(np.outer(weight_N, weight_N)) * (np.eye(N) - full_NK @ full_NK.T)
    degrees = np.trace(K_NN) ** 2 / (K_NN**2).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        t_M = np.abs(value_M / error_M)
        p_M = 2 * _upper(t_M, degrees)
        if order_BN is not None:
            left_MN = y_MN - y_MN @ basis_NK @ basis_NK.T
            reached = np.zeros(len(y_MN))
            for i, left_N in enumerate(left_MN):  # one at a time fits the cache
                along_B, error_B = studentised(left_N[order_BN])
                reached[i] = (np.abs(along_B / error_B) >= t_M[i] * (1 - 1e-12)).sum()
            p_M = (1 + reached) / (1 + len(order_BN))
    return Slope(value_M / norm, error_M / norm, float(degrees), p_M)


def permutations(block_N: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Orders of the settings, ``[B, N]``; each swaps only settings of the same block."""
    order_BN = np.tile(np.arange(len(block_N)), (draws, 1))
    for block in np.unique(block_N):
        rows = np.flatnonzero(block_N == block)
        order_BN[:, rows] = rng.permuted(np.tile(rows, (draws, 1)), axis=1)
    return order_BN


def orthonormal(columns_NK: Array) -> Array:
    """An orthonormal basis of the columns' span, ``[N, rank]``."""
    left, values, _ = np.linalg.svd(columns_NK, full_matrices=False)
    return left[:, values > 1e-9 * values[0]]


def _upper(t: Array, degrees: float) -> Array:
    return special.stdtr(degrees, -t)
