"""Intrinsic dimension from the distances to two neighbours.

Shapes: N rows, D columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dasheng_lib.rank.moments import moments_of

KEPT = 0.9  # of the ratios, the smallest
BLOCK = 512  # rows whose distances to all are held at once
SAME = 1e-6  # of the RMS distance from the mean: rows that lie nearer count as one


def two_nn(Z_ND: Tensor, kept: float = KEPT) -> float:
    """Dimension of the manifold that the rows lie on, as far as two neighbours show it.

    On a locally even set of dimension d the ratio r2 / r1 of the distances to the second and the
    first neighbour exceeds m with probability m^-d. A line through the origin is fitted to
    -log(1 - i/N) over the log of the i-th smallest ratio, for the smallest ``kept`` of them.

    Rows nearer than a millionth of the spread are one row, of which only the first is kept: with
    exact duplicates r1 would be 0, and beside them r1 = r2.

    Args:
        kept: share of the ratios, in (0, 1].

    Returns:
        The dimension, above 0; NaN with fewer than ten different rows. It reads low where there
        are many dimensions, for then no number of rows is enough to be locally even.

    Source: Facco et al. 2017.
    """
    moments = moments_of(Z_ND)
    if moments.spread() == 0:
        return float("nan")
    rows_ND = (Z_ND - moments.mean_D) / moments.spread()  # far from zero distances lose digits
    near_N2, again_N = _two_nearest(rows_ND)
    if again_N.any():
        rows_ND = rows_ND[~again_N]
        near_N2, _ = _two_nearest(rows_ND)
    N = len(rows_ND)
    if N < 10:
        return float("nan")
    use = min(int(kept * N), N - 1)  # at i = N the logarithm is infinite
    x = (near_N2[:, 1] / near_N2[:, 0]).log().sort().values[:use]
    y = -torch.log1p(-torch.arange(1, use + 1, dtype=torch.float64) / N)
    return float((x * y).sum() / (x * x).sum())


def _two_nearest(rows_ND: Tensor) -> tuple[Tensor, Tensor]:
    """Distances to the two nearest other rows [N, 2], and which rows are one before again [N]."""
    N = len(rows_ND)
    squares_N = rows_ND.square().sum(1)
    near_N2, again_N = rows_ND.new_empty(N, 2), torch.zeros(N, dtype=torch.bool)
    for first in range(0, N, BLOCK):
        n = torch.arange(first, min(first + BLOCK, N))
        # Squared distances, but for the square of the row itself, which orders nothing.
        pairs_nN = torch.addmm(squares_N, rows_ND[n], rows_ND.T, alpha=-2)
        pairs_nN[n - first, n] = float("inf")
        one = pairs_nN.min(1)
        for i in n[one.values + squares_N[n] < SAME**2]:
            again_N[i] = (pairs_nN[i - first, :i] + squares_N[i] < SAME**2).any()
        pairs_nN[n - first, one.indices] = float("inf")
        near_n2 = torch.stack([one.values, pairs_nN.amin(1)], 1) + squares_N[n, None]
        near_N2[n] = near_n2.clamp_min(0).sqrt()
    return near_N2, again_N
