"""How many settings and seeds masking at equal capacity needs, or any arms asked together.

Shapes: N settings, S simulated arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.scaling.rules import read_rules
from dasheng_lib.scaling.slope import slope

SETTINGS = (4, 5, 6, 7, 8, 10, 12, 16)
WANTED = 0.8  # probability of a word
MOST = 12  # seeds that are tried


@dataclass(frozen=True)
class Arms:
    """Arms that are asked for a slope.

    Attributes:
        doublings: log2 of the largest over the smallest rank of each.
        per_doubling: the true slope, in points, if there is one.
        seed_sd, setting_sd: of luck, in points, see :class:`dasheng_lib.scaling.design.Noise`.
        arms: asked together, each with a level of its own.
        measures: judged together: the first step of Holm's correction is asked for.
    """

    doublings: float
    per_doubling: float
    seed_sd: float
    setting_sd: float
    arms: int = 1
    measures: int = 1


def arm_power(
    what: Arms, settings: int, seeds: int, sweeps: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """How often arms are said to rise, and how often to have no relation where they have none.

    Student's p stands for that of permutations, which comes to about the same.

    Args:
        settings: of each arm, evenly over its range of log rank, with so many ``seeds`` each.
    """
    rules = read_rules()
    x_N = np.tile(np.linspace(0, what.doublings, settings), what.arms)
    level_NA = np.repeat(np.eye(what.arms), settings, axis=0)
    sd = np.sqrt(what.setting_sd**2 + what.seed_sd**2 / seeds)
    luck_SN = np.random.default_rng(seed).normal(0, sd, (sweeps, len(x_N)))
    rising = slope(x_N, what.per_doubling * x_N + luck_SN, level_NA)
    flat = slope(x_N, luck_SN, level_NA)
    alpha = rules.alpha / what.measures
    none = flat.p_less_than(rules.matters) <= alpha
    rises = (rising.p <= alpha) & (rising.value > 0)
    rises &= rising.p_less_than(rules.matters) > alpha
    return float(rises.mean()), float(none.mean())


def arms_needed(
    what: Arms, settings: Sequence[int] = SETTINGS, sweeps: int = 4000, seed: int = 0
) -> pd.DataFrame:
    """The fewest seeds at each number of settings of an arm with which each word is reached.

    Returns:
        Rows ``settings, seeds_rises, runs_rises, seeds_none, runs_none``; NaN where ``MOST`` seeds
        are too few.
    """
    out = []
    for count in settings:
        row: dict[str, float] = {"settings": count}
        for place, word in enumerate(("rises", "none")):
            tried = range(1, MOST + 1)
            enough = (s for s in tried if arm_power(what, count, s, sweeps, seed)[place] >= WANTED)
            row[f"seeds_{word}"] = next(enough, np.nan)
            row[f"runs_{word}"] = row[f"seeds_{word}"] * count * what.arms
        out.append(row)
    return pd.DataFrame(out)
