"""Averages of a benchmark: of its domains, of its tasks, and of what is there."""

import numpy as np
import pandas as pd

from dasheng_lib.evaluation.averages import benchmark_average

DOMAINS = {"a": "speech", "b": "music", "c": "speech", "d": "speech"}


def table(*rows):
    return pd.DataFrame(rows, columns=["encoder", "probe", "task", "seed", "score"])


def test_domains_weigh_alike_or_tasks_do():
    rows = [("e", "p", task, 0, score) for task, score in zip("dcba", (0.9, 0.3, 0.1, 0.6))]  # noqa: B905
    means = benchmark_average(table(*rows), DOMAINS)
    assert list(means.columns) == ["speech", "music", "average", "mean of tasks", "tasks"]
    np.testing.assert_allclose(means.loc["e", "p"], [0.6, 0.1, 0.35, 0.475, 4])


def test_seeds_are_averaged_first_and_what_is_missing_is_told():
    rows = [("e", "p", "a", 0, 0.2), ("e", "p", "a", 1, 0.4), ("e", "p", "c", 0, 0.9)]
    means = benchmark_average(table(*rows, ("e", "p", "stranger", 0, 0.0)), DOMAINS)
    np.testing.assert_allclose(means.loc["e", "p"], [0.6, np.nan, 0.6, 0.6, 2])


def test_tasks_with_probes_of_their_own_are_one_row():
    rows = [("e", f"for {task}", task, 0, 0.5) for task in DOMAINS]
    means = benchmark_average(table(*rows), DOMAINS, by=["encoder"])
    assert means.index.tolist() == ["e"] and means["tasks"].item() == 4
