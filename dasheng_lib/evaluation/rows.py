"""The clips of a task's splits with their embeddings and targets, and whole recordings of pieces.

Shapes: N rows (clips, or frames of clips one after the other), C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dasheng_lib.evaluation.embed import Embedded
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.task import Task

ENDS_LATER_MS = 1e-4  # heareval looks an event's end up with this tolerance


@dataclass(frozen=True, eq=False)
class Rows:
    """Splits: their clips in order, their embeddings, and targets float32 [N, C], 0 or 1.

    A target is of a clip, or of a frame where the task asks when something sounds.
    """

    clips: Sequence[Clip]
    embedded: Embedded
    targets_NC: np.ndarray


def rows_of(task: Task, embedded: Embedded, *splits: str) -> Rows:
    """The clips of some splits, in the order in which they train."""
    place = {clip.name: i for i, clip in enumerate(task.embedded)}
    clips = [clip for name in splits for clip in task.clips[name]]
    if task.pool:
        clips.sort(key=lambda clip: place[clip.name])
    part = embedded.take(np.array([place[clip.name] for clip in clips], np.int64))
    index = {label: c for c, label in enumerate(task.labels)}
    starts = part.starts if task.embedding == "event" else np.arange(len(clips) + 1)
    targets_NC = np.zeros((starts[-1], len(index)), np.float32)
    for i, clip in enumerate(clips):
        span = slice(starts[i], starts[i + 1])
        targets_NC[span, [index[label] for label in clip.labels]] = 1
        for event in clip.events:
            times = part.timestamps_ms[span]
            active = (times >= event.start) & (times < event.end + ENDS_LATER_MS)
            targets_NC[span, index[event.label]][active] = 1
    return Rows(clips, part, targets_NC)


def of_recordings(rows: Rows, scores_NC: np.ndarray) -> tuple[Rows, np.ndarray]:
    """A row a recording: of one in pieces (:attr:`.Clip.part_of`) the first piece's labels, and
    the mean of the scores of all. Rows without pieces are given back as they are."""
    if not any(clip.part_of for clip in rows.clips):
        return rows, scores_NC
    names = [clip.part_of or clip.name for clip in rows.clips]
    recording_N = pd.factorize(np.array(names))[0]
    first = np.unique(recording_N, return_index=True)[1]
    sums = np.zeros((len(first), scores_NC.shape[1]))
    np.add.at(sums, recording_N, scores_NC)
    clips = [replace(rows.clips[i], name=names[i], part_of="") for i in first]
    whole = Rows(clips, rows.embedded.take(first), rows.targets_NC[first])
    return whole, sums / np.bincount(recording_N)[:, None]
