"""Do arms lie on one curve? Analysis of covariance with a cubic in log rank.

Shapes: A arms, M measures, N settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.slope import orthonormal

CURVE = 3  # the degree


@dataclass(frozen=True, eq=False)
class OneCurve:
    """One curve against arms with levels, and with slopes, of their own.

    Attributes:
        p: twice the smaller of the F tests: levels beyond the curve, slopes beyond levels, ``[M]``.
        f: of levels and slopes together, ``[M]``.
        arms, rest: degrees of freedom of f.
        variance: around the arms' curves, of a setting, points squared, ``[M]``.
        settings: N.
    """

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
            np.array([self._spread_at(f, v, q) for f, v in zip(self.f, self.variance, strict=True)])
            for q in (1 - tail, tail)
        )

    def _spread_at(self, f: float, variance: float, q: float) -> float:
        """Where F is as small as ``f`` with probability q; by hand, as ncfdtrinc has 3 digits."""
        if not np.isfinite(f):
            return np.nan

        def below(far: float) -> float:
            return special.ncfdtr(self.arms, self.rest, far, f) - q

        if below(0.0) <= 0:
            return 0.0
        top = 10.0 * self.arms * (1 + f)
        far = optimize.brentq(below, 0.0, top) if below(top) < 0 else np.inf
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
    levels_NK = np.column_stack([curve_N4, level_NA])
    slopes_NK = np.column_stack([levels_NK, slope_NA * z_N[:, None]])
    bases = [orthonormal(design) for design in (curve_N4, levels_NK, slopes_NK)]
    squares_3M = np.array([((y_MN @ basis) ** 2).sum(1) for basis in bases])
    ranks = [basis.shape[1] for basis in bases]
    levels, slopes, rest = ranks[1] - ranks[0], ranks[2] - ranks[1], N - ranks[2]
    both = levels + slopes
    if rest < 1 or both < 1:
        nan_M = np.full(len(y_MN), np.nan)
        return OneCurve(nan_M, nan_M, both, rest, nan_M, N)
    # From residuals, since differences of large sums of squares lose digits.
    left_MN = y_MN - y_MN @ bases[2] @ bases[2].T
    variance_M = (left_MN**2).sum(1) / rest
    gain_levels, gain_slopes = np.maximum(np.diff(squares_3M, axis=0), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = [
            special.fdtrc(degrees, rest, gain_M / degrees / variance_M)
            for gain_M, degrees in ((gain_levels, levels), (gain_slopes, slopes))
            if degrees
        ]
        f_M = (gain_levels + gain_slopes) / both / variance_M
    return OneCurve(np.minimum(1, 2 * np.min(p, axis=0)), f_M, both, rest, variance_M, N)
