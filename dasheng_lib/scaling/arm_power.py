"""How many settings and seeds masking at equal capacity needs, or any arms asked together.

Shapes: N settings, S simulated arms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dasheng_lib.scaling.rules import Rules, read_rules
from dasheng_lib.scaling.slope import slope

SETTINGS = (4, 5, 6, 7, 8, 10, 12, 16)


def arm_power(
    settings: int,
    seeds: int,
    doublings: float,
    per_doubling: float,
    seed_sd: float,
    setting_sd: float,
    *,
    arms: int = 1,
    rules: Rules | None = None,
    measures: int = 1,
    sweeps: int = 4000,
    seed: int = 0,
) -> tuple[float, float]:
    """How often arms are said to rise, and how often to have no relation where they have none.

    Student's p stands for that of permutations, which comes to about the same.

    Args:
        settings: of each arm, evenly over its range of log rank, with so many ``seeds`` each.
        doublings: log2 of the largest over the smallest rank.
        per_doubling: the true slope, in points, for the first answer; it is 0 for the second.
        seed_sd, setting_sd: of luck, in points, see
            :class:`dasheng_lib.scaling.simulate.Noise`.
        arms: asked together, each with a level of its own.
        measures: judged together: the first step of Holm's correction is asked for.
    """
    rules = rules or read_rules()
    x_N = np.tile(np.linspace(0, doublings, settings), arms)
    level_NA = np.repeat(np.eye(arms), settings, axis=0)
    sd = np.sqrt(setting_sd**2 + seed_sd**2 / seeds)
    luck_SN = np.random.default_rng(seed).normal(0, sd, (sweeps, len(x_N)))
    rising = slope(x_N, per_doubling * x_N + luck_SN, level_NA)
    flat = slope(x_N, luck_SN, level_NA)
    alpha = rules.alpha / measures
    none = flat.p_less_than(rules.matters) <= alpha
    rises = (rising.p <= alpha) & (rising.value > 0)
    rises &= rising.p_less_than(rules.matters) > alpha
    return float(rises.mean()), float(none.mean())


def arms_needed(
    doublings: float,
    per_doubling: float,
    seed_sd: float,
    setting_sd: float,
    *,
    wanted: float = 0.8,
    settings: Sequence[int] = SETTINGS,
    most: int = 12,
    **how: object,
) -> pd.DataFrame:
    """The fewest seeds at each number of settings of an arm with which each word is reached.

    Args:
        wanted: probability of the word.
        most: seeds that are tried.
        how: of :func:`arm_power`.

    Returns:
        Rows ``settings, seeds_rises, runs_rises, seeds_none, runs_none``; NaN where ``most`` seeds
        are too few.
    """
    out, arms = [], how.get("arms", 1)
    for count in settings:
        row: dict[str, float] = {"settings": count}
        for place, word in enumerate(("rises", "none")):
            enough = np.nan
            for seeds in range(1, most + 1):
                given = (count, seeds, doublings, per_doubling, seed_sd, setting_sd)
                if arm_power(*given, **how)[place] >= wanted:
                    enough = seeds
                    break
            row |= {f"seeds_{word}": enough, f"runs_{word}": enough * count * arms}
        out.append(row)
    return pd.DataFrame(out)
