"""Do arms lie on one curve? Analysis of covariance with a cubic in log rank.

Shapes: A arms, M measures, N settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from dasheng_lib.scaling.forms import Array
from dasheng_lib.scaling.slope import orthonormal

CURVE = 3  # the degree


@dataclass(frozen=True, eq=False)
class OneCurve:
    """One curve against arms with levels, and with slopes, of their own.

    Attributes:
        p_levels, p_slopes: of the F tests, ``[M]``: levels beyond the curve, slopes beyond levels.
        p: twice the smaller.
        f: of levels and slopes together, ``[M]``.
        arms, rest: degrees of freedom of f.
        variance: around the arms' curves, of a setting, points squared, ``[M]``.
        settings: N.
    """

    p_levels: Array
    p_slopes: Array
    p: Array
    f: Array
    arms: int
    rest: int
    variance: Array
    settings: int

    @property
    def spread(self) -> Array:
        """Root mean square of the arms' distance from the curve, less what noise adds, ``[M]``."""
        beyond = self.arms * (self.f - 1) * self.variance / self.settings
        return np.sqrt(np.maximum(beyond, 0))

    def p_closer_than(self, spread: float) -> Array:
        """p that the arms' spread is at least so many points (noncentral F), ``[M]``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            far_M = self.settings * spread**2 / self.variance
        return special.ncfdtr(self.arms, self.rest, far_M, self.f)

    def spread_interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """Spreads that are not rejected, ``[M]`` each; of 90 % as two one-sided tests are."""
        tail = (1 - level) / 2
        return tuple(
            np.array([self._spread_at(i, q) for i in range(len(self.f))]) for q in (1 - tail, tail)
        )

    def _spread_at(self, i: int, q: float) -> float:
        f, variance = self.f[i], self.variance[i]

        def short(far: float) -> float:
            return special.ncfdtr(self.arms, self.rest, far, f) - q

        if not np.isfinite(f):
            return np.nan
        if short(0.0) <= 0:
            return 0.0
        top = 10.0 * self.arms * (1 + f)
        far = optimize.brentq(short, 0.0, top) if short(top) < 0 else np.inf
        return float(np.sqrt(far * variance / self.settings))


def one_curve(x_N: Array, y_MN: Array, level_NA: Array, slope_NA: Array) -> OneCurve:
    """Compare one cubic with arms' own levels, and these with arms' own slopes.

    Args:
        level_NA: shares of the arms that may have a level, see
            :meth:`dasheng_lib.scaling.settings.Layout.shares`.
        slope_NA: of those that may have a slope.

    Returns:
        NaN where no degree of freedom is left.
    """
    N = len(x_N)
    z_N = (x_N - x_N.mean()) / max(x_N.std(), 1e-12)
    curve_N4 = np.vander(z_N, CURVE + 1)
    designs = [curve_N4]
    designs.append(np.column_stack([designs[-1], level_NA]))
    designs.append(np.column_stack([designs[-1], slope_NA * z_N[:, None]]))
    bases = [orthonormal(design) for design in designs]
    squares_3M = np.array([((y_MN @ basis) ** 2).sum(1) for basis in bases])
    ranks = [basis.shape[1] for basis in bases]
    levels, slopes, rest = ranks[1] - ranks[0], ranks[2] - ranks[1], N - ranks[2]
    if rest < 1 or levels + slopes < 1:
        nan = np.full(len(y_MN), np.nan)
        return OneCurve(nan, nan, nan, nan, levels + slopes, rest, nan, N)
    # From residuals, since differences of large sums of squares lose digits.
    left_MN = y_MN - y_MN @ bases[2] @ bases[2].T
    variance_M = (left_MN**2).sum(1) / rest
    gain_levels, gain_slopes = np.maximum(np.diff(squares_3M, axis=0), 0)
    p_levels = _p(gain_levels, levels, variance_M, rest)
    p_slopes = _p(gain_slopes, slopes, variance_M, rest)
    both = levels + slopes
    with np.errstate(invalid="ignore", divide="ignore"):
        f_M = (gain_levels + gain_slopes) / both / variance_M
    return OneCurve(
        p_levels=p_levels,
        p_slopes=p_slopes,
        p=np.minimum(1, 2 * np.fmin(p_levels, p_slopes)),
        f=f_M,
        arms=both,
        rest=rest,
        variance=variance_M,
        settings=N,
    )


def lack_of_fit(
    x_N: Array, y_MN: Array, seeds_N: Array, noise_M: Array, degrees: int
) -> tuple[Array, Array]:
    """Do settings lie off one cubic by more than their seeds explain?

    Args:
        noise_M: variance between seeds, with its ``degrees`` of freedom.

    Returns:
        F and its p, ``[M]`` each.
    """
    z_N = (x_N - x_N.mean()) / max(x_N.std(), 1e-12)
    root_N = np.sqrt(seeds_N)
    basis = orthonormal(np.vander(z_N, CURVE + 1) * root_N[:, None])
    weighted_MN = y_MN * root_N
    left_MN = weighted_MN - weighted_MN @ basis @ basis.T
    rest = len(x_N) - basis.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        f_M = (left_MN**2).sum(1) / rest / noise_M
    return f_M, special.fdtrc(rest, degrees, f_M)


def _p(gain_M: Array, degrees: int, variance_M: Array, rest: int) -> Array:
    if degrees < 1:
        return np.full(len(gain_M), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return special.fdtrc(degrees, rest, gain_M / degrees / variance_M)
