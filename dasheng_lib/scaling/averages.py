"""Quality as a mean over domains of the mean over their tasks, and over tasks drawn anew.

Shapes: B draws, N rows, T columns of task scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dasheng_lib.scaling.fit import Array


def quality(table: pd.DataFrame, domains: Mapping[str, str], weights: Array | None = None) -> Array:
    """Quality from its tasks: the mean over domains of the mean over their tasks, ``[N]``.

    Args:
        table: has a column of scores for each key of ``domains``, such as ``linear:fsdd``.
        domains: of each column, such as speech.
        weights: ``[B, T]`` of :func:`draw_tasks` instead, for ``[B, N]``.
    """
    scores_NT = table[list(domains)].to_numpy(float)
    if weights is None:
        weights = draw_tasks(domains, None, None)[0]
    return weights @ scores_NT.T


def draw_tasks(
    domains: Mapping[str, str], draws: int | None, rng: np.random.Generator | None
) -> Array:
    """Weights of the columns of tasks, ``[B, T]``, tasks drawn anew within their domains.

    One fewer is drawn than there are, which makes the variance of a mean of few tasks come out
    right (Rao and Wu, JASA 83, 1988). Columns of one task (``linear:fsdd``, ``knn:fsdd``) stay
    together. A domain of one task always keeps it, so that nothing is learned about its choice.

    Args:
        domains: of each column.
        draws: B; None for the plain mean, B = 1.
    """
    columns = pd.DataFrame({"column": list(domains), "domain": list(domains.values())})
    columns["task"] = columns["column"].str.split(":", n=1).str[-1]
    weights_BT = np.zeros((draws or 1, len(columns)))
    for _, rows in columns.groupby("domain"):
        code, tasks = pd.factorize(rows["task"])
        k = len(tasks)
        if draws is None or k == 1:
            counts_BK = np.ones((len(weights_BT), k))
        else:
            counts_BK = rng.multinomial(k - 1, np.full(k, 1 / k), draws).astype(float)
        share_BT = counts_BK[:, code] / np.bincount(code)[code]
        weights_BT[:, rows.index] = share_BT / share_BT.sum(1, keepdims=True)
    return weights_BT / columns["domain"].nunique()
