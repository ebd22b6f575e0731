"""How laws are fitted, and the intervals of what they give from resampled runs.

Checkpoints of a run share its luck, so runs are drawn, each with all its rows. Plain percentiles
of such draws are too narrow where runs are few, for two reasons: the spread of resampled values
is too small, by ``sqrt((G - p) / G)`` for G runs and p parameters fitted to them, and it is read
off with the normal curve's quantiles where Student's are due. At 15 runs 90 of 100 intervals of
95 % then hold the truth. BCa mends bias and skew and has both faults; the expanded percentile
(Hesterberg, The American Statistician 69, 2015, section 5.2) reads the same draws further out,
and is what is used here. Of fewer than twelve runs it says next to nothing: for a slope of few
settings see :mod:`dasheng_lib.scaling.slope`.

Shapes: B values (the first of all rows, the others of resamples), G runs, N rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it; the interval is NaN where the draws do not give one."""

    value: float
    low: float
    high: float

    @property
    def above(self) -> bool:
        """The whole interval is above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """The whole interval is below 0."""
        return self.high < 0

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Fit:
    """How something is fitted to the runs of a sweep.

    Attributes:
        delta: of Huber's loss, in units of log quality; infinite for least squares.
        draws, seed: of the bootstrap.
        level: share of the intervals that should hold the truth.
    """

    delta: float = 1e-3
    draws: int = 4000
    level: float = 0.95
    seed: int | tuple[int, ...] = 0

    def resample(
        self, runs: pd.Series, rng: np.random.Generator | None = None
    ) -> tuple[Array, np.ndarray]:
        """How often each run is in each resample, ``[1 + draws, G]``, and each row's run ``[N]``.

        The first row is that of the data, each run once.

        Args:
            runs: name of the run of each row.
            rng: by default a new one from the seed.
        """
        code_N, names = pd.factorize(runs)
        G = len(names)
        rng = rng or np.random.default_rng(self.seed)
        counts_BG = rng.multinomial(G, np.full(G, 1 / G), self.draws).astype(float)
        return np.concatenate([np.ones((1, G)), counts_BG]), code_N

    def estimate(self, values_B: Array, runs: int, spent: int = 1) -> Estimate:
        """A value with its interval.

        Args:
            values_B: first that of all rows, then those of the resamples; what is not finite is
                left out.
            runs: what was resampled, G.
            spent: parameters that were fitted, p.

        Returns:
            An interval of NaN if fewer than half of the resamples are finite, or G <= p.
        """
        value, draws = float(values_B[0]), np.asarray(values_B[1:], float)
        finite = draws[np.isfinite(draws)]
        if len(finite) < max(2, len(draws) / 2) or runs <= spent:
            return Estimate(value, np.nan, np.nan)
        free = runs - spent
        tails = stats.t.ppf([(1 - self.level) / 2, (1 + self.level) / 2], free)
        tails = stats.norm.cdf(np.sqrt(runs / free) * tails)
        low, high = np.quantile(finite, tails)
        return Estimate(value, float(low), float(high))


FIT = Fit()
