"""``dasheng corpus … arch`` and its like: data sets of a benchmark in their official layouts."""

from __future__ import annotations

import argparse

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.official import fetch_set
from dasheng_lib.corpora.manifest import read_yml
from dasheng_lib.corpora.official_sets import (
    BenchmarkTask,
    absent,
    benchmark_task,
    benchmark_tasks,
    find_set,
)
from dasheng_lib.tasks.benchmarks import BENCHMARKS


def fetch(name: str, args: argparse.Namespace) -> None:
    """Get the sets of the tasks that are named.

    Raises:
        UserError: none is named, or one cannot be had by a program; says how to get it.
    """
    if not args.task:
        raise UserError(
            f"All sets of {name} are tens of GB, so say which: `dasheng corpus fetch {name} --task "
            f"NAME`; `dasheng corpus list {name}` names them."
        )
    for task in _asked(name, args.task):
        print(f"{task.name}: {fetch_set(task, args.place, not args.quiet)}")


def line(name: str) -> str:
    """What the list of all corpora says about a benchmark."""
    tasks = benchmark_tasks(name).values()
    here = f"{sum(find_set(task) is not None for task in tasks)} of {len(tasks)}"
    return f"{name:<22}{'':>6}{'':>7}  {here:<12}{read_yml(name)['title']}"


def show(name: str, args: argparse.Namespace) -> None:
    """Print every task with its size, licence and whether it is here; of named ones, how to get
    them too."""
    print(
        f"\n  {'task':<24}{'column':<13}{'domain':<13}{'clips':>7}{'classes':>9}  "
        f"{'here':<5}licence"
    )
    for task in _asked(name, args.task):
        here = "yes" if find_set(task, args.place) else "no"
        print(
            f"  {task.name:<24}{task.column:<13}{task.domain:<13}{task.clips:>7}{task.classes:>9}  "
            f"{here:<5}{task.set.licence}"
        )
        if args.task:
            print(f"\n{absent(task, args.place)}" if here == "no" else "")
    if not args.task:
        print(f"\n`dasheng corpus list {name} --task NAME` says how to get one.")


def check(name: str, args: argparse.Namespace) -> int:
    """Read the named tasks, or all that are here; 1 if something is wrong, else 0.

    Raises:
        UserError: a named task's set is not here.
    """
    code = 0
    for task in _asked(name, args.task):
        folder = find_set(task, args.place)
        if folder is None:
            if args.task:
                raise UserError(absent(task, args.place))
            continue
        try:
            read = BENCHMARKS[name](task.name, folder)
        except UserError as error:
            print(f"{task.name}: {error}")
            code = 1
            continue
        clips = len({clip.part_of or clip.name for clip in read.embedded})  # whole, not in pieces
        # A class of a task of slots is what they say together.
        slots = read.prediction == "slots"
        classes = len({c.labels for c in read.embedded} if slots else read.labels)
        published = f"published are {task.clips} clips and {task.classes} classes"
        note = "as published" if (clips, classes) == (task.clips, task.classes) else published
        part = f" ({read.part})" if read.part else ""
        print(f"{task.name}: {folder} is sound; {clips} clips, {classes} classes, {note}{part}")
    return code


def _asked(benchmark: str, names: list[str]) -> list[BenchmarkTask]:
    if not names or "all" in names:
        return list(benchmark_tasks(benchmark).values())
    return [benchmark_task(benchmark, name) for name in names]
