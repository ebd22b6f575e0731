"""A task of one class a clip, fold by fold: each fold is tested once, and the others train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.common.arrays import numbers
from dasheng_lib.evaluation.probes.classifier import Classifier
from dasheng_lib.evaluation.probes.majority import majority
from dasheng_lib.metrics.intervals import wilson_interval


@dataclass(frozen=True, eq=False)
class Score:
    """Test predictions of all folds, pooled.

    Attributes:
        correct: bool, one for each test clip that counts.
        clips, groups: its row or name, and the fold (held-out group) it was tested in.
        labels, guesses: its class and the predicted one.
    """

    correct: np.ndarray
    clips: np.ndarray
    groups: np.ndarray
    labels: np.ndarray
    guesses: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of right predictions, in [0, 1]."""
        return float(self.correct.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval over clips."""
        return wilson_interval(int(self.correct.sum()), len(self.correct))

    def row(self) -> dict[str, float]:
        """``accuracy, low, high`` in [0, 1], and the ``clips`` and ``classes`` that were tested."""
        low, high = self.interval
        return {
            "accuracy": self.accuracy,
            "low": low,
            "high": high,
            "clips": len(self.correct),
            "classes": len(np.unique(self.labels)),
        }


def evaluate_folds(features: np.ndarray, rows: pd.DataFrame, classify: Classifier) -> Score:
    """Score a task: each fold is the test set once, the others train.

    Args:
        features: a row a clip.
        rows: ``clip, label, fold`` of the task.
        classify: see :func:`dasheng_lib.evaluation.probes.classifier`; the class of the greatest
            score is the guess, of equal ones that which sorts first.

    Test clips whose class does not occur in that fold's training part are left out: no probe
    could get them right.

    Raises:
        ValueError: fewer than two folds, no test clip is left, or features are no matrix.
    """
    folds = rows["fold"].unique()
    if len(folds) < 2:
        raise ValueError(f"a task has at least two folds, this one has {len(folds)}")
    features = numbers(features, "features", 2)
    labels, clips = rows["label"].to_numpy(), rows["clip"].to_numpy()
    if not 0 <= min(clips) <= max(clips) < len(features):
        raise ValueError(f"features are of {len(features)} clips, and rows name {max(clips)}")
    tested, groups, truths, guesses = [], [], [], []
    for fold in folds:
        train = (rows["fold"] != fold).to_numpy()
        test = ~train & rows["label"].isin(labels[train]).to_numpy()
        if not test.any():
            continue
        classes, codes = np.unique(labels[train], return_inverse=True)
        scores_MC = classify(
            features[clips[train]], np.eye(len(classes))[codes], features[clips[test]]
        )
        guesses.append(classes[scores_MC.argmax(1)])
        truths.append(labels[test])
        tested.append(clips[test])
        groups.append(np.full(int(test.sum()), fold, object))
    if not tested:
        raise ValueError("no test clip's class occurs in its training part")
    tested, groups, truths, guesses = map(np.concatenate, (tested, groups, truths, guesses))
    return Score(truths == guesses, tested, groups, truths, guesses)


def chance(rows: pd.DataFrame) -> float:
    """What knowing nothing gets on a task: the majority's accuracy, or 1 / classes if that is more.

    Args:
        rows: as in :func:`evaluate_folds`.
    """
    score = commonest(rows)
    return max(score.accuracy, 1 / len(np.unique(score.labels)))


def commonest(rows: pd.DataFrame) -> Score:
    """What always the commonest training class gets on a task, whatever the features.

    Args:
        rows: as in :func:`evaluate_folds`.
    """
    return evaluate_folds(np.zeros((rows["clip"].max() + 1, 1)), rows, majority)
