"""An encoder on a task: embed, probe each fold, score.

Shapes: N rows (clips, or frames of clips one after the other), C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import Embedded, embed
from dasheng_lib.evaluation.folds import Score
from dasheng_lib.evaluation.probes import classifier, find_probe
from dasheng_lib.evaluation.probes.classifier import Classifier
from dasheng_lib.evaluation.probes.mlp.probe import SCHEDULE, Part, Split
from dasheng_lib.evaluation.probes.mlp.probe import probe as mlp_probe
from dasheng_lib.evaluation.probes.mlp.training import Schedule
from dasheng_lib.metrics.events import event_score, events_from_frames
from dasheng_lib.metrics.scene import higher_is_better, scene_score
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.task import POOLED, Fold, Task

ENDS_LATER_MS = 1e-4  # heareval looks an event's end up with this tolerance


@dataclass(frozen=True, eq=False)
class Rows:
    """Splits: their clips in order, their embeddings, and targets float32 [N, C], 0 or 1."""

    clips: Sequence[Clip]
    embedded: Embedded
    targets_NC: np.ndarray


@dataclass(frozen=True, eq=False)
class Tested:
    """What a probe says of the clips that one fold tests.

    Attributes:
        fold, rows: what was tested.
        scores_NC: the larger the likelier.
        choice: of the MLP that won, the post-processing of events; None for scenes.
        won: of that MLP, ``valid, layers, lr, init, epoch``.
    """

    fold: Fold
    rows: Rows
    scores_NC: np.ndarray
    choice: tuple[float, float] | None = None
    won: dict[str, object] = field(default_factory=dict)


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
            grid of MLPs, chosen on the validation split. The others choose nothing and train on
            the validation split as well. Events need ``"mlp"``.
        seed: of the probe's first weights and dropout.
        k: neighbours of k-NN.
        device: that the MLPs train on.

    Returns:
        A row a fold and metric: ``task, encoder, probe, seed, fold, metric, score, clips`` and,
        of the MLP that won, ``valid, layers, lr, init, epoch``. Scores are NaN where heareval has
        none. Where the task asks for the pooled accuracy, its row comes first: ``fold`` is
        ``"all"``, and it has the columns ``low, high, classes`` too, see :func:`pooled`.

    Raises:
        UserError: as :func:`check_asked`; an embedding is not finite or has a wrong shape (the
            clip is named).
    """
    tested = probe_folds(encoder, task, probe, seed, k, device, progress)
    names = {"task": task.name, "encoder": encoder.name, "probe": probe, "seed": seed}
    rows = []
    if POOLED in task.metrics:
        row = pooled(task, tested).row()
        rows.append({"fold": "all", "metric": POOLED, "score": row.pop(POOLED), **row})
    for one in tested:
        for metric in task.metrics:
            if metric != POOLED:
                facts = {"fold": one.fold.name, "metric": metric, "clips": len(one.rows.clips)}
                score = _score(task, one.rows, one.scores_NC, metric, one.choice)
                rows.append({**facts, **one.won, "score": score})
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
    if find_probe(probe).reads:
        embedded = embed_task(encoder, task, progress)
    else:
        count = len(task.embedded)
        embedded = Embedded(np.zeros((count, 1), np.float32), np.arange(count + 1))
    if find_probe(probe).chooses:
        return _choose(task, embedded, seed, device)
    classify = classifier(probe, task.prediction == "multilabel", k=k, metric=metric, seed=seed)
    return [_classified(task, embedded, fold, classify) for fold in task.folds]


def pooled(task: Task, tested: Sequence[Tested]) -> Score:
    """The guesses of all folds together, of a task of one class a clip.

    Test clips whose class does not occur in that fold's training part are left out: no probe
    could get them right.

    Raises:
        UserError: none is left.
    """
    found = []
    for one in tested:
        splits = (*one.fold.train, *one.fold.valid)
        trained = {clip.labels[0] for name in splits for clip in task.clips[name]}
        for clip, guess in zip(one.rows.clips, one.scores_NC.argmax(1), strict=True):
            if clip.labels[0] in trained:
                found.append((clip.name, one.fold.name, clip.labels[0], task.labels[guess]))
    if not found:
        raise UserError(f"{task.name}: no test clip's class occurs in its training part.")
    clips, groups, labels, guesses = map(np.array, zip(*found, strict=True))
    return Score(labels == guesses, clips, groups, labels, guesses)


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


def embed_task(encoder: AudioEncoder, task: Task, progress: bool = True) -> Embedded:
    """Embed all that :func:`evaluate` will ask for, so that faults show before training.

    Raises:
        UserError: as :func:`dasheng_lib.evaluation.embed.embed`.
    """
    kind = "clips" if task.embedding == "scene" else "frames"
    return embed(encoder, task.embedded, kind, progress)


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


def _rows(task: Task, embedded: Embedded, *splits: str) -> Rows:
    """The clips of some splits, in the order in which they train."""
    place = {clip.name: i for i, clip in enumerate(task.embedded)}
    clips = [clip for name in splits for clip in task.clips[name]]
    if task.pool:
        clips.sort(key=lambda clip: place[clip.name])
    part = embedded.take(np.array([place[clip.name] for clip in clips], np.int64))
    index = {label: c for c, label in enumerate(task.labels)}
    targets_NC = np.zeros((len(part.features), len(index)), np.float32)
    for i, clip in enumerate(clips):
        span = slice(part.starts[i], part.starts[i + 1])
        targets_NC[span, [index[label] for label in clip.labels]] = 1
        for event in clip.events:
            times = part.timestamps_ms[span]
            active = (times >= event.start) & (times < event.end + ENDS_LATER_MS)
            targets_NC[span, index[event.label]][active] = 1
    return Rows(clips, part, targets_NC)


def _classified(task: Task, embedded: Embedded, fold: Fold, classify: Classifier) -> Tested:
    train = _rows(task, embedded, *fold.train, *fold.valid)
    test = _rows(task, embedded, *fold.test)
    scores_NC = classify(train.embedded.features, train.targets_NC, test.embedded.features)
    return Tested(fold, test, scores_NC)


def _choose(task: Task, embedded: Embedded, seed: int, device: str) -> list[Tested]:
    """By heareval's MLPs."""
    rows = {name: _rows(task, embedded, name) for name in task.clips}
    parts = {name: _part(task, part) for name, part in rows.items()}
    work = [
        Split(tuple(parts[n] for n in fold.train), parts[fold.valid[0]], parts[fold.test[0]])
        for fold in task.folds
    ]
    found = mlp_probe(work, task.prediction, schedule_of(task), seed=seed, device=device)
    tested = []
    for fold, model, scores_NC in zip(task.folds, found.folds, found.predictions, strict=True):
        point = model.point
        won = {"valid": model.score, "layers": point.layers, "lr": point.lr, "init": point.init}
        won["epoch"] = model.epoch
        tested.append(Tested(fold, rows[fold.test[0]], scores_NC, model.choice, won))
    return tested


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
        metric = "top1_acc" if metric == POOLED else metric
        return scene_score(metric, scores_NC, rows.targets_NC)
    estimated = {}
    for i, clip in enumerate(rows.clips):
        span = slice(rows.embedded.starts[i], rows.embedded.starts[i + 1])
        times = rows.embedded.timestamps_ms[span]
        estimated[clip.name] = events_from_frames(scores_NC[span], times, task.labels, *choice)
    reference = {clip.name: list(clip.events) for clip in rows.clips}
    return event_score(metric, reference, estimated)
