"""By which numbers a sweep's candidates can be chosen, each so that higher is better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.rank.measures import MEASURES
from dasheng_lib.scaling.averages import draw_tasks
from dasheng_lib.scaling.choose import Score
from dasheng_lib.scaling.fit import Array
from dasheng_lib.sweep.recorded import tasks_of

# Measures whose source says which way is better, so that one can choose by them.
DIRECTED = tuple(name for name, card in MEASURES.items() if card.better in ("higher", "lower"))


def by(column: str) -> Score:
    """A column, turned so that higher is better: a loss is, and what its card says so of.

    Raises:
        UserError: its card says neither.
    """
    card = MEASURES.get(column)
    if card and column not in DIRECTED:
        raise UserError(f"{card.title} cannot choose: its source calls {card.better} better.")
    lower = card.better == "lower" if card else column.endswith("loss")
    return lambda table: (-1 if lower else 1) * table[column].to_numpy(float)


def on_few_clips(
    average: str, chance: Mapping[str, float], clips: int, readings: int = 50, seed: int = 0
) -> Score:
    """An average of scores as if each task had been scored on so many clips of each class.

    Each candidate's answers are drawn apart, as if it had been asked other clips. In truth all
    are asked the same ones, which compares them better: what this costs is an upper end.

    Args:
        average: such as ``few_quality_heard``.
        chance: of each column of scores, one over its classes.
        readings: M.

    Returns:
        A score of ``[M, N]``.
    """

    def score(table: pd.DataFrame) -> Array:
        domains = tasks_of(table, average)
        weights_T = draw_tasks(domains, None, None)[0]
        asked_T = np.array([round(clips / chance[column]) for column in domains])
        right_NT = table[list(domains)].to_numpy(float)
        rng = np.random.default_rng(seed)
        drawn_MNT = rng.binomial(asked_T, right_NT, (readings, *right_NT.shape)) / asked_T
        return drawn_MNT @ weights_T

    return score
