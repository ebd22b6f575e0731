"""Measures that follow from the spectrum alone.

``variances_D`` are eigenvalues of a covariance matrix, descending, in any unit: none of the
measures changes with scale. All are 0 where there is no variance at all.
"""

from __future__ import annotations

import numpy as np
import torch

from dasheng_lib.rank.effective import effective_rank

FIRST, LAST = 11, 100  # ranks that alpha_req fits: the reference's indices 10 to 99, from 0


def variance_rank(variances_D: np.ndarray) -> float:
    """exp(entropy) of the shares of variance, in [1, D].

    RankMe takes the shares of the *roots*; for eigenvalues 1/j and D = 768 that gives 608, and
    this 152.

    Source: Roy and Vetterli 2007, of a covariance matrix.
    """
    return effective_rank(torch.from_numpy(np.array(variances_D, np.float64)))


def standardised_rank(scatter_DD: np.ndarray) -> float:
    """RankMe of centred rows whose every dimension is divided by its deviation, in [1, D].

    A linear probe that standardises its features sees no scale of a dimension, and neither does
    this. Dimensions that do not vary are left out.

    Args:
        scatter_DD: products of the centred rows, summed over rows, in any unit.
    """
    spread_D = np.sqrt(np.diag(scatter_DD))
    varies = spread_D > 0
    if not varies.any():
        return 0.0
    scaled = scatter_DD[np.ix_(varies, varies)] / np.outer(spread_D[varies], spread_D[varies])
    values = np.linalg.eigvalsh(scaled)
    noise = values[-1] * len(values) * np.finfo(np.float64).eps
    return effective_rank(torch.from_numpy(np.sqrt(np.where(values > noise, values, 0.0))))


def participation_ratio(variances_D: np.ndarray) -> float:
    """(sum of variances)^2 / sum of their squares, in [1, D].

    With N rows it reads low: E[1/PR] is about 1/PR + 1/N; see
    :func:`unbiased_participation_ratio`.
    """
    squares = np.square(variances_D).sum()
    return float(np.sum(variances_D) ** 2 / squares) if squares else 0.0


def unbiased_participation_ratio(variances_D: np.ndarray, N: int, fourth: float) -> float:
    """Participation ratio with both its parts freed of the bias of a finite number of rows.

    Numerator and denominator are the unbiased estimates of (tr S)^2 and tr(S^2) for rows of any
    distribution; their ratio has left only a bias of second order. It equals the estimator
    "row" of Chun et al., who get it as a mean over rows that are all different.

    Args:
        variances_D: eigenvalues of the scatter of N rows about their mean, divided by N - 1.
        N: rows, at least 4.
        fourth: sum over rows of |x - mean|^4.

    Returns:
        The ratio; NaN where the estimate of its denominator is not positive, which happens when
        the rows are too few to tell.

    Source: Himeno and Yamada 2014; Chun et al. 2026 (row correction).
    """
    if N < 4:
        return float("nan")
    if not np.sum(variances_D):
        return 0.0
    trace, squares = np.sum(variances_D), np.square(variances_D).sum()
    Q = fourth / (N - 1)
    numerator = 2 * squares + (N * N - 3 * N + 1) * trace**2 - N * Q
    denominator = (N - 1) * (N - 2) * squares + trace**2 - N * Q
    # The share of the variance must be one that rounding cannot make.
    if denominator <= 1e-12 * N * N * trace**2 / len(variances_D):
        return float("nan")
    return float(numerator / denominator)


def stable_rank(variances_D: np.ndarray) -> float:
    """Sum of variances over the largest, in [1, D].

    Of a covariance matrix it is NESum; of second moments about zero, the stable rank.

    Source: He and Ozay 2022; Tsitsulin et al. 2023.
    """
    return float(np.sum(variances_D) / np.max(variances_D)) if np.max(variances_D) else 0.0


def alpha_req(variances_D: np.ndarray, first: int = FIRST, last: int = LAST) -> float:
    """Exponent a of variances that fall as j^-a, j = first .. last, counted from 1.

    Least squares of log variance on log j with weights 1/j.

    Args:
        first, last: both included; ``last`` is cut to the number of variances above zero.

    Returns:
        The exponent; NaN where fewer than five variances are left to fit. The range decides:
        say it beside the number.

    Source: Agrawal et al. 2022; the range and the weights of reptrix 0.1.0, after Stringer et al.
    2019.
    """
    last = min(last, int(np.count_nonzero(variances_D)))
    if last - first + 1 < 5:
        return float("nan")
    j = np.arange(first, last + 1)
    x, y = np.log(j), np.log(np.asarray(variances_D, np.float64)[first - 1 : last])
    x = x - np.average(x, weights=1 / j)
    return float(-(x * y / j).sum() / (x * x / j).sum())
