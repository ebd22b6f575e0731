"""What a probe says of the clips that one fold tests, and its scores.

Shapes: N rows (clips, or frames of clips one after the other), C classes, S slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.folds import Score
from dasheng_lib.evaluation.rows import Rows
from dasheng_lib.metrics.events import event_score, events_from_frames
from dasheng_lib.metrics.scene import all_slots, scene_score
from dasheng_lib.tasks.task import ALL_SLOTS, POOLED, Fold, Task


@dataclass(frozen=True, eq=False)
class Tested:
    """What a probe says of the clips that one fold tests.

    Attributes:
        fold, rows: what was tested; recordings that came in pieces are whole again.
        scores_NC: the larger the likelier; of a recording in pieces the mean of their scores.
        choice: of the MLP that won, the post-processing of events; None for scenes.
        won: of that MLP, ``valid, layers, lr, init, epoch``.
    """

    fold: Fold
    rows: Rows
    scores_NC: np.ndarray
    choice: tuple[float, float] | None = None
    won: dict[str, object] = field(default_factory=dict)


def pooled(task: Task, tested: Sequence[Tested]) -> Score:
    """The guesses of all folds together, of a task of one class a clip, or one in each slot.

    Test clips with a class that neither trains nor selects in that fold are left out: no probe
    could get them right.

    Raises:
        UserError: none is left.
    """
    found = []
    for one in tested:
        trained = _trained(task, one.fold)
        told = [_told(task, values) for values in (one.rows.targets_NC, one.scores_NC)]
        for clip, label, guess in zip(one.rows.clips, *told, strict=True):
            if trained.issuperset(clip.labels):
                found.append((clip.name, one.fold.name, label, guess))
    if not found:
        raise UserError(f"{task.name}: no test clip's class occurs in its training part.")
    clips, groups, labels, guesses = map(np.array, zip(*found, strict=True))
    return Score(labels == guesses, clips, groups, labels, guesses)


def answerable(task: Task) -> bool:
    """Whether :func:`pooled` has any clip to count."""
    for fold in task.folds:
        trained = _trained(task, fold)
        if any(trained.issuperset(c.labels) for name in fold.test for c in task.clips[name]):
            return True
    return False


def _trained(task: Task, fold: Fold) -> set[str]:
    """The classes that train or select in a fold."""
    splits = (*fold.train, *fold.valid)
    return {label for name in splits for clip in task.clips[name] for label in clip.labels}


def _told(task: Task, values_NC: np.ndarray) -> list[str]:
    """The likeliest class of each row, or of each slot, with blanks between."""
    columns_NS = np.stack([np.array(slot)[values_NC[:, slot].argmax(1)] for slot in task.slots], 1)
    return [" ".join(task.labels[c] for c in columns_S) for columns_S in columns_NS]


def score_of(
    task: Task,
    rows: Rows,
    scores_NC: np.ndarray,
    metric: str,
    choice: tuple[float, float] | None,
) -> float:
    """One metric on one split; ``choice`` is the post-processing of events."""
    if task.embedding == "scene":
        metric = "top1_acc" if metric == POOLED else metric
        if metric == ALL_SLOTS:
            return all_slots(scores_NC, rows.targets_NC, task.slots)
        return scene_score(metric, scores_NC, rows.targets_NC)
    estimated = {}
    for i, clip in enumerate(rows.clips):
        span = slice(rows.embedded.starts[i], rows.embedded.starts[i + 1])
        times = rows.embedded.timestamps_ms[span]
        estimated[clip.name] = events_from_frames(scores_NC[span], times, task.labels, *choice)
    reference = {clip.name: list(clip.events) for clip in rows.clips}
    return event_score(metric, reference, estimated)
