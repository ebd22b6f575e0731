"""Do two lists of scores put systems in one order: Kendall's tau and Spearman's rho, and how sure.

Both are one formula (Daniels, The relation between measures of correlation in the universe of
sample permutations, Biometrika 33, 1944): the cosine between what the lists say of each pair of
systems. That is the sign of a difference for Kendall (tau-b, where there are ties) and the
difference of ranks for Spearman.

Shapes: B lists, N systems, P pairs of systems.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.common.arrays import numbers

MEASURES = ("kendall", "spearman")
EXACT = 8  # systems whose orders are all tried: 40,320; of more, some are drawn


@dataclass(frozen=True)
class Agreement:
    """How far two lists agree on an order.

    Attributes:
        value: the coefficient, from -1 (reversed) to 1 (the same order); NaN if a list is constant.
        p: share of all orders of the systems with a coefficient as far from 0 or farther; NaN, as
            are all others, if a list is constant.
        low, high: 95 % of coefficients when systems are drawn again; NaN for fewer than five.
        least, most: the coefficients when one system is left out; NaN for fewer than three.
        n: systems.
    """

    value: float
    p: float
    low: float
    high: float
    least: float
    most: float
    n: int


def coefficient(x_BN: np.ndarray, y_BN: np.ndarray, measure: str) -> np.ndarray:
    """The rank correlation of each list of ``x`` with that of ``y``: ``[B]``; NaN if constant.

    Raises:
        ValueError: no such measure, or not the same number of systems, two or more.
    """
    x_BN, y_BN = numbers(x_BN, "scores"), numbers(y_BN, "scores")
    if not x_BN.ndim or not y_BN.ndim or x_BN.shape[-1] != y_BN.shape[-1] or x_BN.shape[-1] < 2:
        raise ValueError(f"{[*x_BN.shape]} and {[*y_BN.shape]} are no scores of the same systems")
    x_BP, y_BP = _pairs(x_BN, measure), _pairs(y_BN, measure)
    size_B = np.sqrt((x_BP**2).sum(-1) * (y_BP**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((x_BP * y_BP).sum(-1) / np.where(size_B > 0, size_B, np.nan), -1, 1)


def _pairs(x_BN: np.ndarray, measure: str) -> np.ndarray:
    if measure not in MEASURES:
        raise ValueError(f"measure is one of {', '.join(MEASURES)}, not {measure!r}")
    x_BN = x_BN.astype(float)
    i, j = np.triu_indices(x_BN.shape[-1], 1)
    if measure == "kendall":
        return np.sign(x_BN[..., i] - x_BN[..., j])
    ranks_BN = stats.rankdata(x_BN, axis=-1)
    return ranks_BN[..., i] - ranks_BN[..., j]


def agree(
    x: pd.Series, y: pd.Series, measure: str = "kendall", draws: int = 2000, seed: int = 0
) -> Agreement:
    """How far two lists of scores agree on the order of the systems that both have.

    Args:
        x, y: scores by system; a system without one of them is left out.
        draws: how often systems are drawn again, and of more than :data:`EXACT` systems how many
            orders are tried, the observed one counted with them.

    Raises:
        ValueError: no such measure, fewer than two systems, or one that is listed twice.
    """
    if not (isinstance(x, pd.Series) and isinstance(y, pd.Series)):
        raise ValueError("scores are a Series each, by system")
    if not (x.index.is_unique and y.index.is_unique):
        raise ValueError("a system is listed twice")
    both = pd.concat([x, y], axis=1, join="inner").dropna().to_numpy(float)
    n = len(both)
    if n < 2:
        raise ValueError(f"an order takes two systems at least, not {n}")
    x_N, y_N = both.T
    generator = np.random.default_rng(seed)
    value = float(coefficient(x_N, y_N, measure))
    if np.isnan(value):
        return Agreement(value, *[np.nan] * 5, n)
    if n <= EXACT:
        orders_BN = np.array(list(itertools.permutations(range(n))))
    else:
        others_BN = generator.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
        orders_BN = np.concatenate([np.arange(n)[None], others_BN])
    tried_B = coefficient(x_N, y_N[orders_BN], measure)
    # The slack keeps equal coefficients equal whatever the order of their sums.
    p = float((np.abs(tried_B) >= abs(value) - 1e-9).mean())
    low = high = least = most = np.nan
    if n >= 5:
        drawn_BN = generator.integers(n, size=(draws, n))
        again_B = coefficient(x_N[drawn_BN], y_N[drawn_BN], measure)
        low, high = np.nanquantile(again_B, [0.025, 0.975])
    if n >= 3:
        kept_BN = np.array([[other for other in range(n) if other != one] for one in range(n)])
        left_B = coefficient(x_N[kept_BN], y_N[kept_BN], measure)
        least, most = np.nanmin(left_B), np.nanmax(left_B)
    return Agreement(value, p, float(low), float(high), float(least), float(most), n)


def smallest_p(n: int) -> float:
    """The p of two equal orders of ``n`` systems, and of two reversed ones: no order has less."""
    return min(1.0, 2 / math.factorial(n))


def systems_needed(rho: float, power: float = 0.8, level: float = 0.05) -> int:
    """Systems that it takes for a true Spearman's ``rho`` to be told from 0, both signs asked for.

    About, by Fisher's z, whose variance is ``(1 + rho^2 / 2) / (n - 3)`` (Bonett and Wright 2000).

    Raises:
        ValueError: ``rho`` is 0 or not between -1 and 1.
    """
    if not 0 < abs(rho) < 1:
        raise ValueError(f"rho is between -1 and 1 and not 0; it is {rho}")
    # What is refuted is rho = 0, so that its variance counts for the level.
    reach = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power) * np.sqrt(1 + rho**2 / 2)
    return math.ceil(3 + (reach / np.arctanh(abs(rho))) ** 2)
