"""Exact k-nearest-neighbour classification in bounded memory.

Shapes: N training rows, M test rows, D columns, C classes.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Metric = Literal["cosine", "euclidean"]
Weights = Literal["uniform", "softmax"]
CHUNK_CELLS = 1 << 25  # similarities held at once: 128 MiB of float32


def knn_accuracy(
    train_ND: Tensor | np.ndarray,
    train_y: np.ndarray,
    test_MD: Tensor | np.ndarray,
    test_y: np.ndarray,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
) -> float:
    """Share of test rows whose predicted class is right, in [0, 1]; see :func:`knn_predict`."""
    predicted = knn_predict(train_ND, train_y, test_MD, k, metric, weights)
    return float(np.mean(predicted == np.asarray(test_y)))


def knn_predict(
    train_ND: Tensor | np.ndarray,
    train_y: np.ndarray,
    test_MD: Tensor | np.ndarray,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
    temperature: float = 0.07,
) -> np.ndarray:
    """Class of each test row by the vote of its ``k`` nearest training rows.

    Args:
        train_ND, test_MD: float rows.
        train_y: a class for each training row, of any type that sorts.
        k: neighbours that vote.
        metric: nearest by cosine or by Euclidean distance.
        weights: ``"uniform"``: one vote each. ``"softmax"``: a neighbour counts
            exp(cosine / temperature) (X-ARES and DINOv2 with T = 0.07; cosine only).
        temperature: T of the softmax.

    Returns:
        [M] classes. Equal votes go to the class that sorts first, as in scikit-learn.

    Raises:
        ValueError: shapes do not fit, a value is not finite, or k is not in [1, N].
    """
    train_ND, test_MD = _rows(train_ND, "training"), _rows(test_MD, "test")
    classes, codes = np.unique(np.asarray(train_y), return_inverse=True)
    N = len(train_ND)
    if train_ND.shape[1] != test_MD.shape[1] or len(codes) != N:
        raise ValueError(
            f"{N} x {train_ND.shape[1]} training rows, {len(codes)} classes and test rows "
            f"{test_MD.shape[1]} wide do not fit together"
        )
    if not 1 <= k <= N:
        raise ValueError(f"k is between 1 and the {N} training rows, not {k}")
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is 'cosine' or 'euclidean', not {metric!r}")
    if weights not in ("uniform", "softmax") or (weights == "softmax" and metric != "cosine"):
        raise ValueError("weights is 'uniform', or 'softmax' with metric='cosine'")
    if metric == "cosine":
        train_ND = torch.nn.functional.normalize(train_ND, dim=1)
        test_MD = torch.nn.functional.normalize(test_MD, dim=1)
        offset_N = None
    else:
        # |a - b|^2 = |b|^2 - 2 ab + const: the nearest has the largest ab - |b|^2 / 2. Rows are
        # centred first, since a common mean would cost digits and changes no distance.
        mean_D = train_ND.mean(0)
        train_ND, test_MD = train_ND - mean_D, test_MD - mean_D
        offset_N = train_ND.square().sum(1) / 2
    codes_N = torch.from_numpy(codes.reshape(-1))
    out = []
    for part_MD in test_MD.split(max(CHUNK_CELLS // N, 1)):
        near_MN = part_MD @ train_ND.T
        if offset_N is not None:
            near_MN -= offset_N
        top = near_MN.topk(k, dim=1)
        votes = torch.ones_like(top.values)
        if weights == "softmax":
            votes = torch.softmax(top.values / temperature, 1)
        tally_MC = torch.zeros(len(part_MD), len(classes), dtype=votes.dtype)
        tally_MC.scatter_add_(1, codes_N[top.indices], votes)
        out.append(tally_MC.argmax(1))
    return classes[torch.cat(out).numpy()]


def _rows(rows: Tensor | np.ndarray, name: str) -> Tensor:
    rows = torch.as_tensor(rows).detach().float()
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"{name} rows are a matrix with at least one row, got {list(rows.shape)}")
    if not rows.isfinite().all():
        raise ValueError(f"a {name} row is not finite")
    return rows


def knn_scores(
    train_ND: Tensor | np.ndarray,
    train_NC: np.ndarray,
    test_MD: Tensor | np.ndarray,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
    temperature: float = 0.07,
) -> np.ndarray:
    raise NotImplementedError
