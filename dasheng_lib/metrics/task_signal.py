"""What each task of a benchmark adds to its order of models, and how many tasks make that order.

Scores are tables of models by tasks without gaps; a benchmark's order is that of the plain mean
over its tasks. Shapes: N models, T tasks, B draws.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dasheng_lib.metrics.rank_correlation import coefficient


def between_tasks(scores: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rank correlation over models of each two tasks, tasks by tasks."""
    x_TN = scores.to_numpy(float).T
    table = [coefficient(x_TN, one_N[None], measure) for one_N in x_TN]
    return pd.DataFrame(table, index=scores.columns, columns=scores.columns)


def by_domain(between: pd.DataFrame, domains: Mapping[str, str]) -> pd.DataFrame:
    """Mean correlation of tasks of each two domains; no task is compared with itself.

    Args:
        between: of :func:`between_tasks`.
        domains: from task to domain.
    """
    apart = between.mask(np.eye(len(between), dtype=bool))
    blocks = {domain: [t for t in between if domains[t] == domain] for domain in domains.values()}
    return pd.DataFrame(
        {
            one: {other: apart.loc[mine, theirs].stack().mean() for other, theirs in blocks.items()}
            for one, mine in blocks.items()
        }
    )


def extremes(between: pd.DataFrame) -> tuple[tuple[str, str], tuple[str, str]]:
    """The two tasks that agree most, and the two that agree least, of :func:`between_tasks`."""
    i, j = np.triu_indices(len(between), 1)
    values_P = between.to_numpy()[i, j]
    pairs = [(between.index[i[k]], between.index[j[k]]) for k in range(len(i))]
    return pairs[np.nanargmax(values_P)], pairs[np.nanargmin(values_P)]


def with_the_rest(scores: pd.DataFrame, measure: str) -> pd.Series:
    """The rank correlation of each task with the mean of the others."""
    x_TN = scores.to_numpy(float).T
    others_TN = (x_TN.sum(0) - x_TN) / (len(x_TN) - 1)
    return pd.Series(coefficient(x_TN, others_TN, measure), index=scores.columns)


def without_each(scores: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The benchmark with one task dropped, a row a task.

    Returns:
        ``order``: rank correlation with the whole benchmark; ``first``: which model then leads.
    """
    rows = {}
    for task in scores:
        rest = scores.drop(columns=task).mean(axis=1)
        same = float(coefficient(rest, scores.mean(axis=1), measure))
        rows[task] = {"order": same, "first": rest.idxmax()}
    return pd.DataFrame.from_dict(rows, orient="index")


def subsets(scores: pd.DataFrame, measure: str, draws: int, seed: int) -> pd.DataFrame:
    """Random sets of ``k`` tasks for each ``k`` below all of them.

    Returns:
        By ``k``: median and the middle 80 % (``_low``, ``_high``) of the rank correlation of the
        set's order with that of the ``whole`` benchmark, in which the set is contained, and with
        that of the tasks that were ``left`` out; and ``first``, the share of sets with the
        benchmark's leader.
    """
    x_NT = scores.to_numpy(float)
    tasks = x_NT.shape[1]
    generator = np.random.default_rng(seed)
    place_BT = np.argsort(generator.random((draws, tasks)), axis=1)
    whole_N = x_NT.mean(1)
    rows = {}
    for k in range(1, tasks):
        inside_BT = place_BT < k
        set_BN = inside_BT @ x_NT.T / k
        left_BN = ~inside_BT @ x_NT.T / (tasks - k)
        found = {
            "whole": coefficient(set_BN, whole_N[None], measure),
            "left": coefficient(set_BN, left_BN, measure),
        }
        rows[k] = {"first": float((set_BN.argmax(1) == whole_N.argmax()).mean())}
        for name, value_B in found.items():
            low, middle, high = np.nanquantile(value_B, [0.1, 0.5, 0.9])
            rows[k] |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")


def level(scores: pd.DataFrame, points: float) -> pd.Series:
    """The share of models within ``points`` of the best, by task: where it is high, a task has
    little left to tell."""
    return (scores >= scores.max() - points - 1e-9).mean()
