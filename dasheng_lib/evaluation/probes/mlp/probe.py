"""heareval's probe: an MLP on frozen embeddings, chosen from a grid by its validation score.

Arrays in, predictions out; what a task is and how its predictions are scored, others know.
After hear-eval-kit (heareval 2021.1.3), heareval/predictions/task_predictions.py. Differences:

- A dropout mask is drawn for each fold, layer and step, and all models of that fold share it: as
  independent from row to row and unit to unit as ever, and kinder to comparisons of grid points.
- Rows come in the order of their clips, and the clips in that of
  ``tasks.hear.read.training_order``. heareval shuffles them with the same generator, but
  from the order in which a folder lists its files, which no other disk repeats.
- A last batch of one training row, at which heareval fails, is left out.
- Training ends where no later epoch can change the outcome, see
  :attr:`dasheng_lib.evaluation.probes.mlp.training.Schedule.best_possible`.

Shapes: N rows, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.probes.mlp.network import Point
from dasheng_lib.evaluation.probes.mlp.training import (
    Course,
    Schedule,
    as_tensor,
    outputs,
    probabilities,
    read_rows,
    train_together,
)

Score = Callable[[np.ndarray], tuple[float, object]]
Prediction = Literal["multiclass", "multilabel"]

# Of {1, 2} layers x {3.2e-3, 1e-3, 3.2e-4, 1e-4} x {uniform, normal}, heareval's command line
# tries the first 8 after a shuffle with seed 42: always these, in this order.
GRID = (
    Point(1, 1e-4, "xavier_normal"),
    Point(2, 1e-3, "xavier_uniform"),
    Point(1, 1e-3, "xavier_normal"),
    Point(1, 3.2e-4, "xavier_normal"),
    Point(2, 3.2e-4, "xavier_normal"),
    Point(2, 3.2e-4, "xavier_uniform"),
    Point(2, 3.2e-3, "xavier_normal"),
    Point(2, 3.2e-3, "xavier_uniform"),
)
SCHEDULE = Schedule()


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a split: one for each clip, or the frames of clips one after the other.

    Attributes:
        features_ND: float32, an array or a memory map.
        targets_NC: float32, 0 or 1.
        score: from predictions, float32 [N, C] in [0, 1], to the score (greater is better, NaN
            where there is none) and what it was reached with, such as the post-processing of
            events; only the parts that validate need it.

    Raises:
        UserError: shapes do not fit, or a value is not finite.
    """

    features_ND: np.ndarray
    targets_NC: np.ndarray
    score: Score | None = None

    def __post_init__(self) -> None:
        x, y = self.features_ND, self.targets_NC
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
            raise UserError(
                f"Features [N, D] and targets [N, C] have as many rows, not {list(x.shape)} and "
                f"{list(y.shape)}."
            )
        for first in range(0, len(x), 65536):  # a memory map is never in memory as a whole
            bad = ~np.isfinite(x[first : first + 65536]).all(1)
            if bad.any():
                raise UserError(
                    f"Embedding {first + int(bad.argmax())} is not finite: look at its audio and "
                    "at the encoder."
                )


@dataclass(frozen=True, eq=False)
class Split:
    """A fold: the parts to train on, one after the other, to choose by, and to test on."""

    train: tuple[Part, ...]
    valid: Part
    test: Part


@dataclass(frozen=True)
class Trained:
    """A model after its training.

    Attributes:
        point: what it was.
        score: of its best validation (the least loss where the schedule says so); NaN if the
            first had none.
        epoch: of that validation, from 1.
        epochs: all that it trained.
        choice: what came with the score, such as the post-processing of events.
        cut: whether it was left early, since it could no longer win.
    """

    point: Point
    score: float
    epoch: int
    epochs: int
    choice: object
    cut: bool


@dataclass(frozen=True, eq=False)
class Probed:
    """What a probe gives.

    Attributes:
        grid: every grid point on the first fold, in order.
        folds: the winner on each fold.
        predictions: of the winner for each fold's test rows, float32 [N, C] in [0, 1].
    """

    grid: tuple[Trained, ...]
    folds: tuple[Trained, ...]
    predictions: tuple[np.ndarray, ...]


def kfold(parts: Sequence[Part]) -> list[Split]:
    """Fold i tests, the next one validates, the others train, all in the order given.

    Raises:
        UserError: fewer than three folds.
    """
    k = len(parts)
    if k < 3:
        raise UserError(f"To train, validate and test takes at least 3 folds, here are {k}.")
    splits = []
    for i in range(k):
        train = tuple(part for j, part in enumerate(parts) if j not in (i, (i + 1) % k))
        splits.append(Split(train, parts[(i + 1) % k], parts[i]))
    return splits


def probe(
    splits: Sequence[Split],
    prediction: Prediction,
    schedule: Schedule = SCHEDULE,
    points: Sequence[Point] = GRID,
    seed: int = 0,
    device: str = "cpu",
) -> Probed:
    """Choose a grid point on the first split, train it on the others, and predict every test.

    Args:
        splits: one for train/valid/test, or those of :func:`kfold`.
        prediction: one class a row, or any number of them.
        points: where scores are equal the earlier wins.
        seed: of first weights and dropout.
        device: of torch.

    Raises:
        UserError: no split, widths differ, a validation part has no score, a multiclass target
            has not exactly one class, or there is only one training row.
    """
    _check(splits, prediction)
    multilabel = prediction == "multilabel"

    def rows_of(fold: int):
        split = splits[fold]
        train = [(part.features_ND, part.targets_NC) for part in split.train]
        valid = (split.valid.features_ND, split.valid.targets_NC)
        return read_rows(train, valid, split.valid.score, schedule.batch, device)

    def train(courses: list[Course], rows: dict) -> None:
        train_together(courses, rows, schedule, multilabel, seed, device)

    grid = [Course(point, 0) for point in points]
    rows = {0: rows_of(0)}
    train(grid, rows)
    best = best_of(grid)
    del rows
    others = [Course(best.point, fold) for fold in range(1, len(splits))]
    train(others, {course.fold: rows_of(course.fold) for course in others})
    winners = [best, *others]
    predictions = []
    for course, split in zip(winners, splits, strict=True):
        out_NC = outputs(course.network, as_tensor(split.test.features_ND, device))
        predictions.append(probabilities(out_NC, multilabel))
    return Probed(
        tuple(_trained(course, schedule) for course in grid),
        tuple(_trained(course, schedule) for course in winners),
        tuple(predictions),
    )


def best_of(courses: Sequence[Course]) -> Course:
    """The first of those with the greatest score; NaN is worse than any other."""
    return max(courses, key=lambda course: -np.inf if np.isnan(course.score) else course.score)


def _check(splits: Sequence[Split], prediction: Prediction) -> None:
    if not splits:
        raise UserError("A probe needs at least one split.")
    parts = [part for split in splits for part in (*split.train, split.valid, split.test)]
    widths = {(p.features_ND.shape[1], p.targets_NC.shape[1]) for p in parts}
    if len(widths) > 1:
        raise UserError(f"All parts have the same features and classes, not {sorted(widths)}.")
    if any(split.valid.score is None for split in splits):
        raise UserError("A part that validates needs a score.")
    if prediction not in ("multiclass", "multilabel"):
        raise UserError(f"A prediction is multiclass or multilabel, not {prediction!r}.")
    for part in parts if prediction == "multiclass" else ():
        y = part.targets_NC
        if not (((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()):
            raise UserError("A multiclass target has exactly one class; give multilabel for more.")


def _trained(course: Course, schedule: Schedule) -> Trained:
    score = -course.score if schedule.by_loss else course.score
    epochs = len(course.scores) * schedule.every
    return Trained(course.point, score, course.epoch, epochs, course.choice, course.cut)
