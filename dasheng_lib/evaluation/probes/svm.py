"""HARES's support vector machine for ESC-50: scikit-learn's linear one on standardised features.

Shapes: N training rows, M test rows, D features, C classes.

Source: HARES (arXiv 2111.12124), appendix A: a scikit-learn SVM, its C from a list "on split 1".
That it is linear and its features standardised is not said there; so it is in the evaluation that
the same group released for an earlier model (google-deepmind/deepmind-research,
mmv/eval_ucf101.py). By which part of split 1 the paper picks C is not said; here it is the
validation split of the first fold, and all folds then train on their validation splits as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from dasheng_lib.evaluation.probes.classifier import Selector, Turn
from dasheng_lib.metrics.scene import scene_score

STRENGTHS = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # C: the larger, the less regularised


def hares_svm(multilabel: bool = False) -> Selector:
    """One class against the rest. Scores are distances from the boundary.

    C is that of the greatest accuracy (mAP if several classes may hold) on the validation split
    of the first fold; of equal ones the smallest.
    """

    def scores(turns: Iterable[Turn]) -> Iterator[np.ndarray]:
        C = None
        for turn in turns:
            C = C or _picked(turn, multilabel)
            x_ND = np.concatenate([turn.train, turn.valid])
            y_NC = np.concatenate([turn.train_NC, turn.valid_NC])
            yield distances(C, multilabel, x_ND, y_NC, turn.test)

    return scores


def _picked(turn: Turn, multilabel: bool) -> float:
    def score(C: float) -> float:
        found_NC = distances(C, multilabel, turn.train, turn.train_NC, turn.valid)
        return scene_score("mAP" if multilabel else "top1_acc", found_NC, turn.valid_NC)

    return max(STRENGTHS, key=score)


def distances(
    C: float, multilabel: bool, train_ND: np.ndarray, train_NC: np.ndarray, test_MD: np.ndarray
) -> np.ndarray:
    """Scores [M, C] of one fit; minus infinity for a class that training never saw."""
    scaler = StandardScaler().fit(train_ND)
    train_ND, test_MD = scaler.transform(train_ND), scaler.transform(test_MD)
    out_MC = np.full((len(test_MD), train_NC.shape[1]), -np.inf)

    def fit(target_N: np.ndarray) -> LinearSVC:
        return LinearSVC(C=C, random_state=0).fit(train_ND, target_N)

    if multilabel:
        for c, y_N in enumerate(train_NC.T):
            constant = y_N.min() == y_N.max()
            out_MC[:, c] = y_N[0] - 1 if constant else fit(y_N).decision_function(test_MD)
    elif len(np.unique(train_NC.argmax(1))) == 1:
        out_MC[:, train_NC[0].argmax()] = 0  # nothing to tell apart
    else:
        model = fit(train_NC.argmax(1))
        found = model.decision_function(test_MD)
        out_MC[:, model.classes_] = np.stack([-found, found], 1) if found.ndim == 1 else found
    return out_MC
