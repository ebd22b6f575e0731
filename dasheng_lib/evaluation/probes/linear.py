"""Logistic regression on frozen embeddings.

Shapes: N training rows, M test rows, D features, C classes.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

from dasheng_lib.evaluation.probes.classifier import Classifier

# Where a fit ends: no slope of the mean loss is steeper. At 1e-3 a fit on log-mel statistics ends
# so early that two or three guesses of a hundred are others than those of the converged fit, and
# some hang on the order of sums, so on the processor. float32 has too few digits to go this far.
SLOPE = 1e-5
ALONE = 1 << 24  # numbers up to which a fit has one thread
_libraries = cache(ThreadpoolController)  # to find them takes a third of a small fit


def logistic(multilabel: bool = False, C: float = 1.0) -> Classifier:
    """Logistic regression with L2 penalty on standardised features, in float64 until no slope
    exceeds 1e-5; one per class if several classes may hold. Scores are probabilities.
    """
    return partial(_logistic, multilabel, C)


def _logistic(multilabel, C, train_ND, train_NC, test_MD):
    train_ND, test_MD = np.array(train_ND, np.float64), np.array(test_MD, np.float64)
    scaler = StandardScaler(copy=False).fit(train_ND)
    train_ND, test_MD = scaler.transform(train_ND), scaler.transform(test_MD)
    out_MC = np.zeros((len(test_MD), train_NC.shape[1]), np.float32)
    if not multilabel and len(np.unique(train_NC.argmax(1))) == 1:
        out_MC[:, train_NC[0].argmax()] = 1  # nothing to tell apart
        return out_MC
    if not multilabel:
        model = _fit(train_ND, train_NC.argmax(1), C)
        # a class that training never saw keeps the score 0
        out_MC[:, model.classes_] = model.predict_proba(test_MD)
        return out_MC
    for c, y_N in enumerate(train_NC.T):
        constant = y_N.min() == y_N.max()
        out_MC[:, c] = y_N[0] if constant else _fit(train_ND, y_N, C).predict_proba(test_MD)[:, 1]
    return out_MC


def _fit(x_ND: np.ndarray, y_N: np.ndarray, C: float) -> LogisticRegression:
    # Threads of BLAS wait for each other by spinning: small fits are six times faster on one, and
    # then the same whatever the number of cores.
    threads = 1 if x_ND.size <= ALONE else None
    with _libraries().limit(limits=threads, user_api="blas"):
        return LogisticRegression(C=C, max_iter=10_000, tol=SLOPE).fit(x_ND, y_N)
