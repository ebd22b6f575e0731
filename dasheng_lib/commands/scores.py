"""What commands that evaluate share: all faults first, then all embeddings, then all scores."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence

import pandas as pd

from dasheng_lib.commands.details import chance_of, details, so_far
from dasheng_lib.commands.record import keep, parameters
from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.ahead import tell_ahead
from dasheng_lib.evaluation.evaluate import check_asked, embed_task, evaluate, kind_of
from dasheng_lib.evaluation.probes import find_probe, probe_seeds
from dasheng_lib.tasks.task import Task

Asked = tuple[AudioEncoder, Task, str, int]  # a probe by name, and its seed


def score_pairs(
    args: argparse.Namespace, pairs: Sequence[tuple[AudioEncoder, Task]]
) -> pd.DataFrame:
    """Every encoder on its tasks, by the probes that are asked for, else by each task's own.

    Where one cannot be embedded, those before it are scored and shown, and then that is said.

    Returns:
        The rows of :func:`dasheng_lib.evaluation.evaluate.evaluate` of all, with the ``part`` of
        its data set that a task holds where any is of a part.

    Raises:
        UserError: something asked for is impossible; said before anything is computed.
    """
    asked = [
        (encoder, task, probe, seed)
        for encoder, task in pairs
        for probe, seed in probe_seeds(args.probes or [task.probe], args.seeds)
    ]
    # Faults show before hours of training: first in what is asked, then in every embedding.
    for _, task, probe, seed in asked:
        check_asked(task, probe, seed, args.k, args.device)
    ready, fault = _embedded(asked)
    chance = _chance(ready) if args.details else {}
    with so_far(chance) as tables:
        for encoder, task, probe, seed in ready:
            rows = evaluate(encoder, task, probe, seed, args.k, args.device)
            tables.append(rows.assign(part=task.part))
        if fault:
            raise fault
    table = pd.concat(tables, ignore_index=True)
    if args.details:
        print(f"{details(table, chance)}\n")
    return table if table["part"].any() else table.drop(columns="part")


def _embedded(asked: Sequence[Asked]) -> tuple[Sequence[Asked], UserError | None]:
    """All of which are embedded, or those before the first that cannot be, and why it cannot."""
    jobs = [
        (number, encoder, task, reads == "frames")
        for number, (encoder, task, probe, _) in enumerate(asked)
        if (reads := find_probe(probe).reads)
    ]
    tell_ahead((encoder, task.embedded, kind_of(task, frames)) for _, encoder, task, frames in jobs)
    for number, encoder, task, frames in jobs:
        try:
            embed_task(encoder, task, frames=frames)
        except UserError as error:
            if number:
                logging.getLogger("dasheng").info("%s What came before is scored first.", error)
            return asked[:number], error
    return asked, None


def _chance(asked: Sequence[Asked]) -> dict[str, float]:
    """Of each task where it can be said: not when something sounds."""
    chance = {}
    for encoder, task in {task.name: (encoder, task) for encoder, task, *_ in asked}.values():
        if task.embedding == "scene":
            rows = evaluate(encoder, task, "majority", progress=False)
            classes = len(task.labels) if task.prediction == "multiclass" else float("inf")
            chance |= chance_of(rows, classes)
    return chance


def keep_scores(
    args: argparse.Namespace, table: pd.DataFrame, tasks: Sequence[Task], began: float
) -> None:
    """Keep the table of :func:`score_pairs`, if that is asked for, with the digests of its tasks.

    Args:
        began: when the command did, by :func:`time.perf_counter`.
    """
    keep(
        args.record,
        table,
        corpora={task.name: _digest(task) for task in tasks},
        parameters=parameters(args),
        seconds=round(time.perf_counter() - began),
    )


def _digest(task: Task) -> str:
    """Of the audio and the labels, wherever they lie."""
    return digest(
        [
            [split, clip.name, clip.identity, clip.labels, [vars(event) for event in clip.events]]
            for split, clips in task.clips.items()
            for clip in sorted(clips, key=lambda clip: clip.name)
        ]
    )
