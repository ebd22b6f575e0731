"""``dasheng evaluate arch`` and its like: encoders on data sets in their official layouts."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

from dasheng_lib.commands.scores import keep_scores, score_pairs
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official_sets import (
    BenchmarkTask,
    absent,
    benchmark_task,
    benchmark_tasks,
    find_set,
)
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.averages import benchmark_average, summary
from dasheng_lib.tasks.benchmarks import BENCHMARKS
from dasheng_lib.tasks.task import POOLED, Task


def run_benchmark(args: argparse.Namespace) -> int:
    """Find every task's data set, read, embed, and only then train, evaluate and print; 0."""
    began = time.perf_counter()
    if args.unpadded and args.suite != "arch":
        raise UserError("--unpadded is for arch alone: leave it out.")
    options = {"padded": False} if args.unpadded else {}
    found = places(args.suite, args.task, args.place)
    encoders = [load_encoder(name) for name in args.encoder or ["logmel"]]
    tasks = _read(args, found, options)
    table = score_pairs(args, [(encoder, task) for encoder in encoders for task in tasks])
    scores = summary(table)
    print(_shown(table, scores, tasks).to_string(index=False, na_rep=""))
    if len(tasks) > 1:
        domains = {name: task.domain for name, task in benchmark_tasks(args.suite).items()}
        averages = 100 * benchmark_average(scores, domains).drop(columns="tasks")
        print(f"\nof {len(tasks)} of {len(domains)} tasks\n{averages.round(2).to_string()}")
    keep_scores(args, table, tasks, began)
    return 0


def _shown(table: pd.DataFrame, scores: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """A row for each task, encoder and probe, in %: the metric of the paper's table over folds and
    seeds, the second metric, and ``low, high``, the 95 % interval of the accuracy over clips."""
    by = ["task", "encoder", "probe"]
    means = scores.groupby(["task", "metric", "encoder", "probe"], sort=False)
    shown = 100 * means.agg(score=("score", "mean"), over_folds=("spread", "mean"))
    beside = table[~table["metric"].isin([POOLED, *scores["metric"]])]
    for metric, rows in beside.groupby("metric", sort=False):
        shown = shown.join(100 * rows.groupby(by)["score"].mean().rename(metric), on=by)
    pooled = table[table["metric"] == POOLED]
    if len(pooled):
        shown = shown.join(100 * pooled.groupby(by)[["low", "high"]].mean(), on=by)
    shown = shown.round(2).assign(seeds=means.size()).reset_index()
    return shown.assign(part=shown["task"].map({task.name: task.part for task in tasks}))


def _read(
    args: argparse.Namespace, found: list[tuple[BenchmarkTask, Path]], options: dict[str, bool]
) -> list[Task]:
    """The tasks; of those that nobody named, the ones that can be read, the others are said.

    Raises:
        UserError: one that is named cannot be read, or none can.
    """
    tasks = []
    for number, (task, folder) in enumerate(found, 1):
        try:
            tasks.append(BENCHMARKS[args.suite](task.name, folder, **options))
        except UserError as error:
            if args.task or (number == len(found) and not tasks):
                raise
            print(f"dasheng: {error} It is passed by.", file=sys.stderr)
    return tasks


def places(
    benchmark: str, names: list[str], place: Path | None
) -> list[tuple[BenchmarkTask, Path]]:
    """The named tasks with the folders of their sets; by default all whose sets are here.

    Raises:
        UserError: a task's set is not here, or none is.
    """
    tasks = list({(t := benchmark_task(benchmark, name)).name: t for name in names}.values())
    asked = tasks or list(benchmark_tasks(benchmark).values())
    found = [(task, folder) for task in asked if (folder := find_set(task, place))]
    here = {task.name for task, _ in found}
    if lost := [task for task in tasks if task.name not in here]:
        raise UserError(absent(lost[0], place))
    if not found:
        raise UserError(
            f"No data set of {benchmark} is in {place or '$DASHENG_DATA'}: "
            f"`dasheng corpus list {benchmark}` says how to get them."
        )
    return found
