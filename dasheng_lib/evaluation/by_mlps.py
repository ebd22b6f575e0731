"""A task by heareval's grid of MLPs, which select by the validation split.

Shapes: N rows (clips, or frames of clips one after the other), C classes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.embed import Embedded
from dasheng_lib.evaluation.probes.mlp.probe import SCHEDULE, Part, Split, probe
from dasheng_lib.evaluation.probes.mlp.training import Schedule
from dasheng_lib.evaluation.rows import Rows, of_recordings, rows_of
from dasheng_lib.evaluation.scoring import Tested, score_of
from dasheng_lib.metrics.scene import higher_is_better
from dasheng_lib.tasks.task import Task


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


def choose_mlps(task: Task, embedded: Embedded, seed: int, device: str) -> list[Tested]:
    """What they say of each fold's tests."""
    rows = {name: rows_of(task, embedded, name) for name in task.clips}
    parts = {name: _part(task, part) for name, part in rows.items()}
    work = [
        Split(tuple(parts[n] for n in fold.train), parts[fold.valid[0]], parts[fold.test[0]])
        for fold in task.folds
    ]
    found = probe(work, task.prediction, schedule_of(task), seed=seed, device=device)
    tested = []
    for fold, model, scores_NC in zip(task.folds, found.folds, found.predictions, strict=True):
        point = model.point
        won = {"valid": model.score, "layers": point.layers, "lr": point.lr, "init": point.init}
        won["epoch"] = model.epoch
        whole = rows[fold.test[0]]
        if task.embedding == "scene":
            whole, scores_NC = of_recordings(whole, scores_NC)
        tested.append(Tested(fold, whole, scores_NC, model.choice, won))
    return tested


def _part(task: Task, rows: Rows) -> Part:
    metric = task.metrics[0]
    sign = 1 if higher_is_better(metric) else -1

    def score(scores_NC: np.ndarray) -> tuple[float, object]:
        if task.embedding == "scene":
            return sign * score_of(task, *of_recordings(rows, scores_NC), metric, None), None
        found = [
            (sign * score_of(task, rows, scores_NC, metric, choice), choice)
            for choice in task.event_grid
        ]
        # NaN counts as 0 among post-processings only; the one that wins is still NaN. Of equals
        # the largest settings win, since heareval sorts (score, settings) downwards.
        return max(found, key=lambda pair: (0.0 if math.isnan(pair[0]) else pair[0], pair[1]))

    return Part(rows.embedded.features, rows.targets_NC, score)
