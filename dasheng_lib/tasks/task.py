"""What a task is, whichever benchmark it comes from: clips by split, labels, folds, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dasheng_lib.tasks.clip import Clip

# A metric: the share of right guesses among the test clips of all folds together.
POOLED = "accuracy"
# Another: the share of clips whose guess is right in every slot.
ALL_SLOTS = "all_slots"


@dataclass(frozen=True)
class Fold:
    """Splits to train on, to select by (none if there are two in all) and to test on; named after
    the tested one."""

    name: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """A task: what is told apart, how it is scored, and the clips of each split.

    Attributes:
        name: tells its rows from those of other tasks; of HEAR the official folder's,
            ``{task}-{version}-{mode}``.
        clips: from split to clips, in the order in which they train.
        labels: the vocabulary, in the order of the columns of scores.
        folds: which splits train, select and test; each scores once.
        metrics: the first is the one to report; :data:`POOLED`, or a score of each fold, see
            :mod:`dasheng_lib.metrics`.
        prediction: ``"multiclass"``, one label a clip; ``"multilabel"``, any number; ``"slots"``,
            one of each slot: labels are then ``slot=value``.
        embedding: ``"scene"``, a vector a clip, or ``"event"``, one a frame.
        stop_on_score: heareval's probe stops by the score; by the loss of the validation split if
            false.
        event_grid: (median filter, shortest event) in ms, to choose from; empty for scenes.
        max_epochs, validate_every: of heareval's probe, in epochs; None if the task has no own.
        pool: what its clips are embedded with, found there by name, so that tasks of one pool are
            embedded once; those of several splits then train in its order, not split after split.
        domain: speech, music or environment, where averages are taken by domain.
        probe: the benchmark's own, by name.
        part: what of its data set it holds and how that is coded, for tables; "" if it is all of it
            as published.
    """

    name: str
    clips: Mapping[str, tuple[Clip, ...]]
    labels: tuple[str, ...]
    folds: tuple[Fold, ...]
    metrics: tuple[str, ...] = ("top1_acc",)
    prediction: Literal["multiclass", "multilabel", "slots"] = "multiclass"
    embedding: Literal["scene", "event"] = "scene"
    stop_on_score: bool = True
    event_grid: tuple[tuple[float, float], ...] = ()
    max_epochs: int | None = None
    validate_every: int | None = None
    pool: tuple[Clip, ...] = ()
    domain: str = ""
    probe: str = "linear"
    part: str = ""

    @property
    def embedded(self) -> tuple[Clip, ...]:
        """The pool, or its own clips, split after split."""
        return self.pool or tuple(clip for part in self.clips.values() for clip in part)

    @property
    def slots(self) -> tuple[tuple[int, ...], ...]:
        """Columns of the labels of which a clip has exactly one, slot after slot: all of them in
        one where it has one class; none where it has any number."""
        if self.prediction == "multilabel":
            return ()
        slotted = self.prediction == "slots"
        names = [label.partition("=")[0] if slotted else "" for label in self.labels]
        return tuple(
            tuple(c for c, own in enumerate(names) if own == name) for name in dict.fromkeys(names)
        )


def k_folds(splits: Sequence[str]) -> tuple[Fold, ...]:
    """Each split is tested in turn: split i is, split i + 1 (the first after the last) selects.

    The others train. Of two splits neither can select.
    """
    found = []
    for i, test in enumerate(splits):
        valid = (splits[(i + 1) % len(splits)],) if len(splits) > 2 else ()
        train = tuple(name for name in splits if name not in (test, *valid))
        found.append(Fold(test, train, valid, (test,)))
    return tuple(found)
