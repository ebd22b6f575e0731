"""Does the order of models hang on a single task: places by the mean, with each task left out.

Scores are tables of models by tasks, in percent, without gaps; more is better.
"""

from __future__ import annotations

import pandas as pd

WHOLE = "all"  # the column in which nothing is left out


def places(scores: pd.DataFrame) -> pd.Series:
    """Place of each model by its mean over the tasks, 1 for the highest; equals share the better.

    Raises:
        ValueError: a score is missing, or there is no task.
    """
    if scores.isna().any(axis=None) or scores.empty:
        raise ValueError("places take every score of every model, and one task at least")
    # To the 9th digit, so that equal means of binary fractions are equal.
    return scores.mean(axis=1).round(9).rank(ascending=False, method="min").astype(int)


def places_without_each(scores: pd.DataFrame) -> pd.DataFrame:
    """Places by all tasks (column ``all``), then with each task left out; the best model first.

    Raises:
        ValueError: as :func:`places`; of one task nothing can be left out.
    """
    if scores.shape[1] < 2:
        raise ValueError("to leave one out, there must be two tasks at least")
    table = {WHOLE: places(scores)}
    table |= {task: places(scores.drop(columns=task)) for task in scores}
    return pd.DataFrame(table).sort_values(WHOLE, kind="stable")
