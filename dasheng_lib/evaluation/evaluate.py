"""An encoder on a task: embed, probe each fold, score.

Shapes: N rows (clips, or frames of clips one after the other), C classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.by_mlps import choose_mlps, schedule_of
from dasheng_lib.evaluation.embed import Embedded, embed
from dasheng_lib.evaluation.embed_batches import Kind
from dasheng_lib.evaluation.probes import Probe, find_probe, selector
from dasheng_lib.evaluation.probes.classifier import Features, Turn
from dasheng_lib.evaluation.rows import of_recordings, rows_of
from dasheng_lib.evaluation.scoring import Tested, answerable, pooled, score_of
from dasheng_lib.tasks.task import POOLED, Fold, Task


def evaluate(
    encoder: AudioEncoder,
    task: Task,
    probe: str = "linear",
    seed: int = 0,
    k: int = 10,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Scores of one encoder on one task.

    Args:
        encoder: frozen.
        task: of HEAR, of a corpus, or a reader's own.
        probe: a name of :data:`dasheng_lib.evaluation.probes.PROBES`. ``"mlp"`` is heareval's: a
            grid of MLPs, chosen on the validation split. What the others do with that split, the
            table says: those of no benchmark train on it as well. Events need ``"mlp"``.
        seed: of the probe's first weights and dropout.
        k: neighbours of k-NN.
        device: that the MLPs train on.

    Returns:
        A row a fold and metric: ``task, encoder, probe, seed, fold, metric, score, clips`` and,
        of the MLP that won, ``valid, layers, lr, init, epoch``. Scores are NaN where heareval has
        none, and ``clips`` counts recordings, not their pieces. Where the task asks for the pooled
        accuracy, it has one row, with ``fold`` ``"all"`` and the columns ``low, high, classes``
        too, see :func:`pooled`: the first if it is the task's first metric, else the last, and
        left out if no test clip's class trains.

    Raises:
        UserError: as :func:`check_asked`; an embedding is not finite or has a wrong shape (the
            clip is named).
    """
    tested = probe_folds(encoder, task, probe, seed, k, device, progress)
    names = {"task": task.name, "encoder": encoder.name, "probe": probe, "seed": seed}
    rows = []
    for one in tested:
        for metric in task.metrics:
            if metric != POOLED:
                facts = {"fold": one.fold.name, "metric": metric, "clips": len(one.rows.clips)}
                score = score_of(task, one.rows, one.scores_NC, metric, one.choice)
                rows.append({**facts, **one.won, "score": score})
    first = task.metrics[0] == POOLED
    if POOLED in task.metrics and (first or answerable(task)):
        row = pooled(task, tested).row()
        place = 0 if first else len(rows)
        rows.insert(place, {"fold": "all", "metric": POOLED, "score": row.pop(POOLED), **row})
    return pd.DataFrame([names | row for row in rows])


def probe_folds(
    encoder: AudioEncoder,
    task: Task,
    probe: str = "linear",
    seed: int = 0,
    k: int = 10,
    device: str = "cpu",
    progress: bool = True,
    metric: str = "cosine",
) -> list[Tested]:
    """What :func:`evaluate` scores: every fold is tested by a probe that the others trained.

    Args:
        metric: of k-NN.
    """
    check_asked(task, probe, seed, k, device)
    asked = find_probe(probe)
    if asked.reads:
        embedded = embed_task(encoder, task, progress, asked.reads == "frames")
    else:
        count = len(task.embedded)
        embedded = Embedded(np.zeros((count, 1), np.float32), np.arange(count + 1))
    if asked.times:
        return choose_mlps(task, embedded, seed, device)
    multilabel = task.prediction == "multilabel"
    made = selector(probe, multilabel, k=k, metric=metric, seed=seed)

    def turns(title: str) -> Iterator[Turn]:
        for fold in tqdm(task.folds, title, unit="fold", disable=not progress):
            yield _turn(task, embedded, fold, asked)

    # A linear layer answers slot by slot what three layers, each trained on its slot, answer.
    slots = (tuple(range(len(task.labels))),) if multilabel else task.slots
    title = f"{probe}: {task.name}"
    found = [list(made(turn.of(slot) for turn in turns(title))) for slot in slots]
    order = np.argsort(np.concatenate(slots))
    tested = []
    for fold, parts in zip(task.folds, zip(*found, strict=True), strict=True):
        scores_NC = np.concatenate(parts, 1)[:, order]
        rows, scores_NC = of_recordings(rows_of(task, embedded, *fold.test), scores_NC)
        tested.append(Tested(fold, rows, scores_NC))
    return tested


def check_asked(task: Task, probe: str, seed: int, k: int, device: str) -> None:
    """Whether :func:`evaluate` can do it, before anything is computed.

    Raises:
        UserError: no such probe, or none for events or for slots; no validation split to select
            by; a seed below 0, no neighbours, no such device; a schedule without a validation.
    """
    asked = find_probe(probe)
    if task.embedding == "event" and not asked.times:
        raise UserError(f"{task.name} asks when something sounds: its probe is mlp, not {probe}.")
    if task.prediction == "slots" and asked.times:
        raise UserError(f"{task.name} has an answer in each slot, {probe} one: choose hares.")
    if asked.chooses and not all(fold.valid for fold in task.folds):
        raise UserError(
            f"{task.name} has a fold without validation clips, by which {probe} selects: choose "
            "another probe, or make three folds at least."
        )
    if seed < 0:
        raise UserError(f"A seed is 0 or more, not {seed}.")
    if k < 1:
        raise UserError(f"k-NN asks at least one neighbour, not {k}.")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"The device {device!r} is not here: choose cpu, or cuda.") from error
    schedule_of(task)


def embed_task(
    encoder: AudioEncoder, task: Task, progress: bool = True, frames: bool = False
) -> Embedded:
    """Embed all that :func:`evaluate` will ask for, so that faults show before training.

    Args:
        frames: those of scenes too, for a probe that reads them.

    Raises:
        UserError: as :func:`dasheng_lib.evaluation.embed.embed`.
    """
    return embed(encoder, task.embedded, kind_of(task, frames), progress)


def kind_of(task: Task, frames: bool = False) -> Kind:
    """What is embedded for a task, by a probe that reads frames or one that does not."""
    return "frames" if frames or task.embedding == "event" else "clips"


def _turn(task: Task, embedded: Embedded, fold: Fold, probe: Probe) -> Turn:
    """What one fold gives a probe of the table."""

    def part(*splits: str) -> tuple[Features, np.ndarray]:
        rows = rows_of(task, embedded, *splits)
        frames = probe.reads == "frames"
        return rows.embedded if frames else rows.embedded.features, rows.targets_NC

    also = fold.valid if probe.valid == "trains" else ()
    selects = part(*fold.valid) if probe.chooses else (None, None)
    return Turn(*part(*fold.train, *also), part(*fold.test)[0], *selects)
