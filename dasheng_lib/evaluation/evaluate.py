"""An encoder on a task: embed, probe each fold, score; a task of HEAR as heareval does.

Shapes: N rows (clips, or frames of clips one after the other), C classes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import Embedded, embed
from dasheng_lib.evaluation.folds import Score, score_folds
from dasheng_lib.evaluation.probes import classifier, find_probe
from dasheng_lib.evaluation.probes.mlp.probe import SCHEDULE, Part, Split
from dasheng_lib.evaluation.probes.mlp.probe import probe as mlp_probe
from dasheng_lib.evaluation.probes.mlp.training import Schedule
from dasheng_lib.metrics.events import event_score, events_from_frames
from dasheng_lib.metrics.scene import higher_is_better, scene_score
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.task import Fold, Task

ENDS_LATER_MS = 1e-4  # heareval looks an event's end up with this tolerance


@dataclass(frozen=True, eq=False)
class Rows:
    """One split: its clips in order, their embeddings, and targets float32 [N, C], 0 or 1."""

    clips: tuple[Clip, ...]
    embedded: Embedded
    targets_NC: np.ndarray


def evaluate(
    encoder: AudioEncoder,
    task: Task,
    probe: str = "mlp",
    seed: int = 0,
    k: int = 10,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Scores of one encoder on one task, fold by fold.

    Args:
        encoder: frozen.
        task: as read from its folder.
        probe: a name of :data:`dasheng_lib.evaluation.probes.PROBES`. ``"mlp"`` is heareval's: a
            grid of MLPs, chosen on the validation split. The others choose nothing and train on
            the validation split as well. Events need ``"mlp"``.
        seed: of the probe's first weights and dropout.
        device: that the MLPs train on.

    Returns:
        A row a fold and metric: ``task, encoder, probe, seed, fold, metric, score, clips`` and,
        of the MLP that won, ``valid, layers, lr, init, epoch``. ``task`` is the name of its
        official folder, which tells the modes of a task apart. The task's own metric comes
        first. Scores are NaN where heareval has none.

    Raises:
        UserError: as :func:`check_asked`; an embedding is not finite or has a wrong shape (the
            clip is named).
    """
    check_asked(task, probe, seed, k, device)
    task = shuffled(task)
    splits = {name: _rows(encoder, task, name, progress) for name in task.clips}
    if find_probe(probe).chooses:
        outcomes = _mlp(task, splits, seed, device)
    else:
        outcomes = [_classify(task, splits, fold, probe, seed, k) for fold in task.folds]
    rows = []
    for fold, (scores_NC, choice, details) in zip(task.folds, outcomes, strict=True):
        test = splits[fold.test[0]]
        for metric in task.metrics:
            row = {"fold": fold.name, "metric": metric, "clips": len(test.clips), **details}
            rows.append(row | {"score": _score(task, test, scores_NC, metric, choice)})
    names = {"task": task.name, "encoder": encoder.name, "probe": probe, "seed": seed}
    return pd.DataFrame([names | row for row in rows])


def evaluate_pooled(
    encoder: AudioEncoder,
    task: Task,
    probe: str = "linear",
    seed: int = 0,
    k: int = 10,
    device: str = "cpu",
    progress: bool = True,
) -> Score:
    """As :func:`evaluate`, of a task of one class a clip: the guesses of all folds, pooled.

    Test clips whose class does not occur in that fold's training part are left out: no probe
    could get them right.

    Returns:
        The score; its ``clips`` are names of files.
    """
    check_asked(task, probe, seed, k, device)
    parts = [(clip, name) for name, part in task.clips.items() for clip in part]
    parts.sort(key=lambda pair: pair[0].name)  # the embeddings of any folds are the same
    clips = [clip for clip, _ in parts]
    rows = pd.DataFrame(
        {
            "clip": range(len(clips)),
            "label": [clip.labels[0] for clip in clips],
            "fold": [name for _, name in parts],
        }
    )
    features = np.asarray(embed(encoder, clips, "clips", progress).features)
    try:
        score = score_folds(features, rows, probe, k=k, seed=seed)
    except ValueError as error:
        raise UserError(f"{task.name}: {error}.") from error
    return replace(score, clips=np.array([clip.name for clip in clips])[score.clips])


def check_asked(task: Task, probe: str, seed: int, k: int, device: str) -> None:
    """Whether :func:`evaluate` can do it, before anything is computed.

    Raises:
        UserError: no such probe, or none for events; a seed below 0, no neighbours, no such
            device; a schedule without a validation.
    """
    if task.embedding == "event" and not find_probe(probe).chooses:
        raise UserError(f"{task.name} asks when something sounds: its probe is mlp, not {probe}.")
    if find_probe(probe).chooses and not all(fold.valid for fold in task.folds):
        raise UserError(f"{task.name} has two folds: {probe} trains, selects and tests, on three.")
    if seed < 0:
        raise UserError(f"A seed is 0 or more, not {seed}.")
    if k < 1:
        raise UserError(f"k-NN asks at least one neighbour, not {k}.")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"The device {device!r} is not here: choose cpu, or cuda.") from error
    schedule_of(task)


def schedule_of(task: Task) -> Schedule:
    """heareval's schedule, but for what the task says.

    Raises:
        UserError: training would end before the first validation.
    """
    schedule = replace(
        SCHEDULE,
        max_epochs=task.max_epochs or SCHEDULE.max_epochs,
        every=task.validate_every or SCHEDULE.every,
        by_loss=not task.stop_on_score,
    )
    if schedule.max_epochs < schedule.every:
        raise UserError(
            f"{task.name} trains {schedule.max_epochs} epochs and validates every "
            f"{schedule.every}: raise max_epochs in its metadata."
        )
    return schedule


def shuffled(task: Task) -> Task:
    """The task with the clips of each split in the order in which they train.

    As in heareval, where one generator with seed 0 shuffles split after split, once and for all:
    labels in file order would make batches of one class. It starts from the order in which a
    folder lists its files, which differs between file systems; we start from sorted names.
    """
    generator = random.Random(0)
    clips = {}
    for split, found in task.clips.items():
        mixed = sorted(found, key=lambda clip: clip.name)
        generator.shuffle(mixed)
        clips[split] = tuple(mixed)
    return replace(task, clips=clips)


def embed_task(encoder: AudioEncoder, task: Task, progress: bool = True) -> None:
    """Embed all that :func:`evaluate` will ask for, so that faults show before training.

    Raises:
        UserError: as :func:`dasheng_lib.evaluation.embed.embed`.
    """
    kind = "clips" if task.embedding == "scene" else "frames"
    for clips in shuffled(task).clips.values():
        embed(encoder, clips, kind, progress)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The number that heareval reports for each task: the mean over folds of its own metric.

    Args:
        table: rows of :func:`evaluate`, of one or more encoders, tasks, probes and seeds.

    Returns:
        A row for each ``task, encoder, probe, seed, metric``: ``score``, and ``spread``, the
        standard deviation over folds (NaN where there is one).
    """
    first = table.groupby(["task", "encoder", "probe", "seed"], sort=False)["metric"]
    own = table[table["metric"] == first.transform("first")]
    by = ["task", "encoder", "probe", "seed", "metric"]
    return own.groupby(by, sort=False)["score"].agg(score="mean", spread="std").reset_index()


def _rows(encoder: AudioEncoder, task: Task, split: str, progress: bool) -> Rows:
    clips = task.clips[split]
    index = {label: c for c, label in enumerate(task.labels)}
    if task.embedding == "scene":
        embedded = embed(encoder, clips, "clips", progress)
        targets_NC = np.zeros((len(clips), len(index)), np.float32)
        for row, clip in zip(targets_NC, clips, strict=True):
            row[[index[label] for label in clip.labels]] = 1
        return Rows(clips, embedded, targets_NC)
    embedded = embed(encoder, clips, "frames", progress)
    targets_NC = np.zeros((len(embedded.features), len(index)), np.float32)
    for i, clip in enumerate(clips):
        span = slice(embedded.starts[i], embedded.starts[i + 1])
        times = embedded.timestamps_ms[span]
        for event in clip.events:
            active = (times >= event.start) & (times < event.end + ENDS_LATER_MS)
            targets_NC[span, index[event.label]][active] = 1
    return Rows(clips, embedded, targets_NC)


def _mlp(task: Task, splits: dict[str, Rows], seed: int, device: str):
    parts = {name: _part(task, rows) for name, rows in splits.items()}
    work = [
        Split(tuple(parts[n] for n in fold.train), parts[fold.valid[0]], parts[fold.test[0]])
        for fold in task.folds
    ]
    found = mlp_probe(work, task.prediction, schedule_of(task), seed=seed, device=device)
    return [
        (
            scores_NC,
            won.choice,
            {
                "valid": won.score,
                "layers": won.point.layers,
                "lr": won.point.lr,
                "init": won.point.init,
                "epoch": won.epoch,
            },
        )
        for won, scores_NC in zip(found.folds, found.predictions, strict=True)
    ]


def _part(task: Task, rows: Rows) -> Part:
    metric = task.metrics[0]
    sign = 1 if higher_is_better(metric) else -1

    def score(scores_NC: np.ndarray) -> tuple[float, object]:
        if task.embedding == "scene":
            return sign * _score(task, rows, scores_NC, metric, None), None
        found = [
            (sign * _score(task, rows, scores_NC, metric, choice), choice)
            for choice in task.event_grid
        ]
        # NaN counts as 0 among post-processings only; the one that wins is still NaN. Of equals
        # the largest settings win, since heareval sorts (score, settings) downwards.
        return max(found, key=lambda pair: (0.0 if math.isnan(pair[0]) else pair[0], pair[1]))

    return Part(rows.embedded.features, rows.targets_NC, score)


def _score(
    task: Task,
    rows: Rows,
    scores_NC: np.ndarray,
    metric: str,
    choice: tuple[float, float] | None,
) -> float:
    """One metric on one split; ``choice`` is the post-processing of events."""
    if task.embedding == "scene":
        return scene_score(metric, scores_NC, rows.targets_NC)
    estimated = {}
    for i, clip in enumerate(rows.clips):
        span = slice(rows.embedded.starts[i], rows.embedded.starts[i + 1])
        times = rows.embedded.timestamps_ms[span]
        estimated[clip.name] = events_from_frames(scores_NC[span], times, task.labels, *choice)
    reference = {clip.name: list(clip.events) for clip in rows.clips}
    return event_score(metric, reference, estimated)


def _classify(
    task: Task, splits: dict[str, Rows], fold: Fold, probe: str, seed: int, k: int
) -> tuple[np.ndarray, None, dict]:
    multilabel = task.prediction == "multilabel"
    classify = classifier(probe, multilabel, k=k, seed=seed)
    train = [splits[name] for name in (*fold.train, *fold.valid)]
    scores_NC = classify(
        np.concatenate([rows.embedded.features for rows in train]),
        np.concatenate([rows.targets_NC for rows in train]),
        splits[fold.test[0]].embedded.features,
    )
    return scores_NC, None, {}
