"""Probes that give a score for each class: training rows and their labels in, scores out.

No choice is made on a validation set, so all rows that are not tested may train.
Shapes: N training rows, M test rows, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional as F

from dasheng_lib.knn import knn_scores

ALONE = 1 << 24  # numbers up to which a fit has one thread
Classifier = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def nearest(k: int = 10, metric: str = "cosine", weights: str = "uniform") -> Classifier:
    """Share of the votes of the ``k`` nearest, see :func:`dasheng_lib.knn.knn_scores`."""

    def scores(train_ND, train_NC, test_MD):
        few = min(k, len(train_ND))
        return knn_scores(train_ND, train_NC, test_MD, few, metric, weights)

    return scores


def logistic(multilabel: bool = False, C: float = 1.0) -> Classifier:
    """Logistic regression with L2 penalty on standardised features; one per class if several
    classes may hold. Scores are probabilities.
    """
    return partial(_logistic, multilabel, C)


def arch(multilabel: bool = False, seed: int = 0, epochs: int = 200, batch: int = 32) -> Classifier:
    """ARCH's linear head: features as they are, AdamW with 1e-3, a tenth of the steps up and the
    rest down to 0, the last epoch's weights. Scores are logits.

    Source: ARCH (arXiv 2405.00934) and its released code; there the seed is not set, and the
    schedule moves one step too many in each epoch, which is not repeated here.
    """

    def scores(train_ND, train_NC, test_MD):
        generator = torch.Generator().manual_seed(seed)
        x_ND, y_NC = (torch.tensor(a, dtype=torch.float32) for a in (train_ND, train_NC))
        head = nn.Linear(x_ND.shape[1], y_NC.shape[1])
        bound = x_ND.shape[1] ** -0.5  # torch's default, from our own generator
        for parameter in head.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        optimizer = torch.optim.AdamW(head.parameters(), 1e-3, fused=True)
        steps = epochs * -(-len(x_ND) // batch)
        warmup = max(round(0.1 * steps), 1)
        loss_of = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
        step = 0
        for _ in range(epochs):
            for rows in torch.randperm(len(x_ND), generator=generator).split(batch):
                rate = min((step + 1) / warmup, (steps - step) / max(steps - warmup, 1))
                optimizer.param_groups[0]["lr"] = 1e-3 * rate
                optimizer.zero_grad()
                loss_of(head(x_ND[rows]), y_NC[rows]).backward()
                optimizer.step()
                step += 1
        with torch.inference_mode():
            return head(torch.tensor(test_MD, dtype=torch.float32)).numpy()

    return scores


def _logistic(multilabel, C, train_ND, train_NC, test_MD):
    scaler = StandardScaler().fit(train_ND)
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
    with threadpool_limits(threads, user_api="blas"):
        return LogisticRegression(C=C, max_iter=1000, tol=1e-3).fit(x_ND, y_N)
