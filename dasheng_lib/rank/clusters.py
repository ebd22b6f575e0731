"""Do the rows lie in clumps: pairwise cosines, spread over the sphere, k-means.

Shapes: N rows, D columns. All take float rows and hold a block of pairs at a time.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from dasheng_lib.rank.moments import PART, moments_of

CLUSTERS = 100
BLOCK = 2048  # rows whose pairs are held at once: 16 MiB of float32 for a block by a block


def self_clustering(Z_ND: Tensor) -> float:
    """How much larger squared cosines are than for directions at random: 0 for those, 1 if equal.

    The sum of cos^2 over all pairs of rows, less what is expected on the sphere, over the most
    that there can be. Slightly below 0 where rows avoid each other. Not centred: a common mean
    raises it. The paper prints the norm without its square, which cannot be meant: only with it
    is the result 1 for equal rows.

    Returns:
        NaN for fewer than two rows or columns, or where a row is zero and has no direction.

    Source: Tsitsulin et al. 2023, SelfCluster.
    """
    N, D = Z_ND.shape
    gram_DD = torch.zeros(D, D, dtype=torch.float64)
    for part_ND in Z_ND.split(PART):
        unit_ND = _directions(part_ND.double())
        gram_DD += unit_ND.T @ unit_ND  # its squares add up to those of all N x N cosines
    if min(N, D) < 2:
        return float("nan")
    expected = N + N * (N - 1) / D
    return float((gram_DD.square().sum() - expected) / (N * N - expected))


def uniformity(Z_ND: Tensor, t: float = 2.0) -> float:
    """log of the mean of exp(-t |u - v|^2) over pairs of different rows, scaled to length 1.

    From 0, all rows in one direction, to about -2 t for directions at random in many dimensions
    (at best -4 t, for two opposite rows); lower is more evenly spread.

    Returns:
        NaN for fewer than two rows, or where a row is zero.

    Source: Wang and Isola 2020, with t = 2.
    """
    unit_ND = _directions(Z_ND.float())
    N = len(unit_ND)
    if N < 2:
        return float("nan")
    total = 0.0
    for first in range(0, N, BLOCK):
        rows = unit_ND[first : first + BLOCK]
        for other in range(first, N, BLOCK):
            cosine = rows @ unit_ND[other : other + BLOCK].T
            sums = cosine.sub_(1).mul_(2 * t).exp_().sum(dtype=torch.float64).item()
            total += sums if other == first else 2 * sums
    diagonal = (unit_ND.square().sum(1, dtype=torch.float64) - 1).mul_(2 * t).exp_().sum().item()
    return float(np.log((total - diagonal) / (N * (N - 1))))


def kmeans_inertia(Z_ND: Tensor, clusters: int = CLUSTERS, seed: int = 0) -> float:
    """Share of the variance that is left within clusters, in [0, 1]: 1 if they explain nothing.

    One run of Lloyd's algorithm from k-means++ in float32, at most 100 steps.

    Args:
        clusters: at most; a tenth of the rows where that is less.
        seed: of the start.

    Returns:
        NaN for fewer than 20 rows; 0 where all rows are equal.

    Source: Whetten et al. 2025 take 1,024 clusters of frames and do not divide by the variance,
    without which the number has a unit and cannot be compared between encoders.
    """
    clusters = min(clusters, len(Z_ND) // 10)
    if clusters < 2:
        return float("nan")
    moments = moments_of(Z_ND)
    if moments.spread() == 0:
        return 0.0
    unit_ND = ((Z_ND - moments.mean_D) / moments.spread()).float()
    with warnings.catch_warnings():
        # Fewer different rows than clusters: an inertia of 0 is then what is meant.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(clusters, n_init=1, max_iter=100, random_state=seed).fit(unit_ND.numpy())
    return float(found.inertia_ / len(Z_ND))


def _directions(Z_ND: Tensor) -> Tensor:
    """Rows of length 1; a row of zeros becomes NaN."""
    return Z_ND / Z_ND.norm(dim=1, keepdim=True)
