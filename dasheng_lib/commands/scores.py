"""What commands that evaluate share: all faults first, then all embeddings, then all scores."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import pandas as pd

from dasheng_lib.commands.record import keep, parameters
from dasheng_lib.common.cache import digest
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.evaluate import check_asked, embed_task, evaluate
from dasheng_lib.evaluation.probes import find_probe, probe_seeds
from dasheng_lib.tasks.task import Task


def score_pairs(
    args: argparse.Namespace, pairs: Sequence[tuple[AudioEncoder, Task]]
) -> pd.DataFrame:
    """Every encoder on its tasks, by the probes that are asked for, else by each task's own.

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
    for encoder, task, probe, _ in asked:
        if reads := find_probe(probe).reads:
            embed_task(encoder, task, frames=reads == "frames")
    table = pd.concat(
        [
            evaluate(encoder, task, probe, seed, args.k, args.device).assign(part=task.part)
            for encoder, task, probe, seed in asked
        ],
        ignore_index=True,
    )
    return table if table["part"].any() else table.drop(columns="part")


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
