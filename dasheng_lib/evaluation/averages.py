"""Averages of scores: over folds, over the tasks of a domain, over all tasks of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dasheng_lib.results.agreement import AVERAGE, domain_means


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The number that heareval reports for each task: the mean over folds of its own metric.

    Args:
        table: rows of :func:`.evaluate.evaluate`, of one or more encoders, tasks, probes and seeds.

    Returns:
        A row for each ``task, encoder, probe, seed, metric``: ``score``, and ``spread``, the
        standard deviation over folds (NaN where there is one).
    """
    first = table.groupby(["task", "encoder", "probe", "seed"], sort=False)["metric"]
    own = table[table["metric"] == first.transform("first")]
    by = ["task", "encoder", "probe", "seed", "metric"]
    return own.groupby(by, sort=False)["score"].agg(score="mean", spread="std").reset_index()


def benchmark_average(
    table: pd.DataFrame,
    domains: Mapping[str, str],
    by: Sequence[str] = ("encoder", "probe"),
) -> pd.DataFrame:
    """The averages of a benchmark: ARCH's are the domains, HARES's score is the mean of tasks.

    Args:
        table: rows ``task, score`` and those of ``by``, such as :func:`summary` gives; several
            seeds of one task are averaged first.
        domains: from each task of the benchmark to its domain, in the order to show.
        by: what is averaged apart; without ``probe`` where each task has its own.

    Returns:
        Columns: the domains; ``average``, the mean of the domains; ``mean of tasks``; ``tasks``,
        how many have a score. Those without are left out of the means: only where ``tasks`` is
        ``len(domains)`` are these the benchmark's numbers.
    """
    rows = table[table["task"].isin(domains)]
    scores = rows.pivot_table("score", list(by), "task", sort=False)
    scores = scores.reindex(columns=list(domains))
    groups: dict[str, list[str]] = {}
    for task, domain in domains.items():
        groups.setdefault(domain, []).append(task)
    means = domain_means(scores, "skip", groups).rename(columns={AVERAGE: "average"})
    means["mean of tasks"] = scores.mean(axis=1).to_numpy()
    means["tasks"] = scores.notna().sum(axis=1).to_numpy()
    return means.rename_axis(columns="domain")
