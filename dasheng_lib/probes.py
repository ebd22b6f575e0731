"""What frozen features can tell: k-NN, a linear probe and the majority class, fold by fold.

Shapes: N training clips, M test clips, D features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dasheng_lib.knn import Metric, knn_predict
from dasheng_lib.metrics import wilson_interval

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Score:
    """Test predictions of all folds, pooled.

    Attributes:
        correct: bool, one for each test clip that counts.
        clips, groups: its row in the corpus and the fold (held-out group) it was tested in.
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


def evaluate(features: dict[int, np.ndarray] | np.ndarray, rows: pd.DataFrame, predict: Predict):
    """Score a task: each fold is the test set once, the others train.

    Args:
        features: indexed by clip.
        rows: ``clip, label, fold`` of the task.
        predict: one of :func:`knn`, :func:`linear`, :func:`majority`.

    Test clips whose class does not occur in that fold's training part are left out: no probe
    could get them right.

    Raises:
        ValueError: fewer than two folds, or no test clip is left.
    """
    folds = rows["fold"].unique()
    if len(folds) < 2:
        raise ValueError(f"a task has at least two folds, this one has {len(folds)}")
    labels, clips = rows["label"].to_numpy(), rows["clip"].to_numpy()
    tested, groups, truths, guesses = [], [], [], []
    for fold in folds:
        train = (rows["fold"] != fold).to_numpy()
        test = ~train & np.isin(labels, labels[train])
        if not test.any():
            continue
        guesses.append(predict(features[clips[train]], labels[train], features[clips[test]]))
        truths.append(labels[test])
        tested.append(clips[test])
        groups.append(np.full(int(test.sum()), fold, object))
    if not tested:
        raise ValueError("no test clip's class occurs in its training part")
    tested, groups, truths, guesses = map(np.concatenate, (tested, groups, truths, guesses))
    return Score(truths == guesses, tested, groups, truths, guesses)


def knn(k: int = 10, metric: Metric = "cosine", weights: str = "uniform") -> Predict:
    """k-NN on features as they are (k is lowered where a fold has fewer training clips)."""

    def predict(train_ND, train_y, test_MD):
        return knn_predict(train_ND, train_y, test_MD, min(k, len(train_y)), metric, weights)

    return predict


def linear(C: float = 1.0) -> Predict:
    """Logistic regression with L2 penalty on features standardised over the training clips."""
    return partial(_logistic, C)


def majority(train_ND: np.ndarray, train_y: np.ndarray, test_MD: np.ndarray) -> np.ndarray:
    """The most frequent training class, whatever the features."""
    classes, counts = np.unique(train_y, return_counts=True)
    return np.full(len(test_MD), classes[counts.argmax()], dtype=classes.dtype)


def _logistic(C, train_ND, train_y, test_MD):
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000, tol=1e-3))
    return probe.fit(train_ND, train_y).predict(test_MD)
