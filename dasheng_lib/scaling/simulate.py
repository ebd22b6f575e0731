"""What a design can tell: sweeps simulated at its ranks and noise, judged by the rules.

Shapes: A arms, M measures, N settings, R runs, S sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from dasheng_lib.metrics.intervals import wilson_interval
from dasheng_lib.scaling.answers import answer, plan, question_of
from dasheng_lib.scaling.design import Noise
from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.rules import Rules
from dasheng_lib.scaling.settings import Layout, layout
from dasheng_lib.scaling.slope import slope

MIDDLE = 45.0  # points, at the middle of the design's log rank
Law = Callable[[Array, Array, np.random.Generator], Array]


def power_law(b: float) -> Law:
    """``a R^b`` through 45 points at the middle."""
    return lambda x_N, share_NA, rng: MIDDLE * 2 ** (b * (x_N - x_N.mean()))


def logarithm(per_doubling: float) -> Law:
    """A straight line over log rank; 0 for no relation."""
    return lambda x_N, share_NA, rng: MIDDLE + per_doubling * (x_N - x_N.mean())


def falling_within(per_doubling: float) -> Law:
    """Falls by so many points in every arm, and rises by as many over all settings together."""

    def law(x_N: Array, share_NA: Array, rng: np.random.Generator) -> Array:
        level_N = share_NA @ (share_NA.T @ x_N / share_NA.sum(0))
        inside = slope(x_N, -per_doubling * (x_N - level_N)[None]).value[0]
        between = slope(x_N, (level_N - level_N.mean())[None]).value[0]
        factor = (per_doubling - inside) / between
        return MIDDLE + factor * (level_N - level_N.mean()) - per_doubling * (x_N - level_N)

    return law


def own_levels(b: float, points: float) -> Law:
    """A power law, and arms off it by so many points, root mean square, drawn anew each time."""

    def law(x_N: Array, share_NA: Array, rng: np.random.Generator) -> Array:
        off_N = share_NA @ rng.normal(size=share_NA.shape[1])
        off_N -= off_N.mean()
        return power_law(b)(x_N, share_NA, rng) + points * off_N / np.sqrt((off_N**2).mean())

    return law


TRUTHS: Mapping[str, Law] = {
    "power law, b = 0.1": power_law(0.1),
    "power law, b = 0.05": power_law(0.05),
    "logarithm, 3 points a doubling": logarithm(3.0),
    "falls in arms by 3, rises pooled": falling_within(3.0),
    "power law, b = 0.1, arms off by 3": own_levels(0.1, 3.0),
    "no relation": logarithm(0.0),
    "no relation, arms off by 3": own_levels(0.0, 3.0),
}


def power(
    design: pd.DataFrame,
    noise: Noise,
    rules: Rules,
    truths: Mapping[str, Law] = TRUTHS,
    sweeps: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How often each word is said of sweeps with a known law.

    Every measure follows the law, with luck of its own. Quality depends on the setting's rank of
    the design; what is judged is that rank with its noise.

    Args:
        design: a row a judged run, with ``setting, factor, rank, run``, see
            :func:`dasheng_lib.scaling.design.read_design`; rows of one run share some luck.

    Returns:
        Rows ``truth, measure, scope, word, probability, low, high, sweeps``, with Wilson's
        interval of 95 % for so many sweeps.
    """
    laid = layout(design)
    planned = plan(laid, rules, seed)
    x_R = np.log2(design["rank"].to_numpy(float))
    x_N = laid.means(x_R[None])[0]
    run_R = pd.factorize(design["run"])[0]
    rows = []
    for place, (truth, law) in enumerate(truths.items()):
        rng = np.random.default_rng((seed, place))
        words = []
        for _ in range(sweeps):
            y_MN = law(x_N, planned.levels_NA, rng) + _luck(laid, run_R, noise, rng)
            noisy_N = laid.means(x_R + rng.normal(0, noise.rank, (1, len(x_R))))[0]
            words.append(answer(noisy_N, y_MN, planned).words)
        for scope in words[0]:
            said_SM = np.array([said[scope] for said in words])
            for word in rules.words[question_of(scope)]:
                times_M = (said_SM == word).sum(0).tolist()
                rows += [
                    (truth, measure, scope, word, n / sweeps, *wilson_interval(n, sweeps), sweeps)
                    for measure, n in zip(noise.measures, times_M, strict=True)
                ]
    columns = ["truth", "measure", "scope", "word", "probability", "low", "high", "sweeps"]
    return pd.DataFrame(rows, columns=columns)


def _luck(laid: Layout, run_R: np.ndarray, noise: Noise, rng: np.random.Generator) -> Array:
    """Settings' and seeds' luck, a mean over the seeds, ``[M, N]``."""
    M, N, R = len(noise.measures), len(laid.names), len(run_R)
    of_run = rng.normal(size=(M, run_R.max() + 1))[:, run_R]
    own = rng.normal(size=(M, R))
    seeds_MR = np.sqrt(noise.shared) * of_run + np.sqrt(1 - noise.shared) * own
    settings_MN = noise.setting[:, None] * rng.normal(size=(M, N))
    return settings_MN + laid.means(noise.seed[:, None] * seeds_MR)
