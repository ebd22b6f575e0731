"""A task with few labels: what can be told apart from eight clips of each class, say."""

from __future__ import annotations

import pandas as pd


def few_labels(labels: pd.DataFrame, count: int, seed: int = 0) -> pd.DataFrame:
    """At most ``count`` clips of each class, drawn with ``seed``: all that may be used of a task.

    Args:
        labels: ``clip, label, fold`` of a task.
    """
    drawn = labels.sample(frac=1, random_state=seed)
    return drawn.groupby("label").head(count).sort_index()
