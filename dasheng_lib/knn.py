"""Exact k-nearest-neighbour classification in bounded memory.

Shapes: N training rows, M test rows, D columns, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.arrays import comparable, labels, numbers
from dasheng_lib.common.fast_cpu import finite, largest, product
from dasheng_lib.common.tensors import view

Metric = Literal["cosine", "euclidean"]
Weights = Literal["uniform", "softmax"]
TEST_ROWS, TRAIN_ROWS = 2048, 8192  # compared at once: 64 MiB of similarities in float32


def knn_accuracy(
    train_ND: Tensor | np.ndarray,
    train_y: np.ndarray,
    test_MD: Tensor | np.ndarray,
    test_y: np.ndarray,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
) -> float:
    """Share of test rows whose predicted class is right, in [0, 1]; see :func:`knn_predict`.

    Raises:
        ValueError: as :func:`knn_predict`, or the two lots of labels can never be equal.
    """
    test_y = labels(test_y, "test labels")
    comparable(labels(train_y, "training labels"), test_y)
    predicted = knn_predict(train_ND, train_y, test_MD, k, metric, weights)
    return float(np.mean(predicted == labels(test_y, "test labels", len(predicted))))


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
        train_y: a class for each training row, numbers or text; [N] or [N, 1].
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
    classes, codes = np.unique(labels(train_y, "training labels"), return_inverse=True)
    codes_N = torch.from_numpy(codes)
    out = []
    for weight_Mk, index_Mk in _votes(
        train_ND, len(codes_N), test_MD, k, metric, weights, temperature
    ):
        tally_MC = torch.zeros(len(weight_Mk), len(classes))
        out.append(tally_MC.scatter_add_(1, codes_N[index_Mk], weight_Mk).argmax(1))
    return classes[torch.cat(out).numpy()]


def knn_scores(
    train_ND: Tensor | np.ndarray,
    train_NC: Tensor | np.ndarray,
    test_MD: Tensor | np.ndarray,
    k: int = 10,
    metric: Metric = "cosine",
    weights: Weights = "uniform",
    temperature: float = 0.07,
) -> np.ndarray:
    """Votes of the ``k`` nearest training rows, float32 [M, C]; as :func:`knn_predict`.

    Args:
        train_NC: what each training row votes for: 1 for its class, or for any number of them.

    Returns:
        For each class the share of the neighbours that vote for it, weighted if asked; in [0, 1].

    Raises:
        ValueError: as :func:`knn_predict`.
    """
    train_NC = torch.from_numpy(numbers(train_NC, "votes", 2).astype(np.float32))
    out = []
    for weight_Mk, index_Mk in _votes(
        train_ND, len(train_NC), test_MD, k, metric, weights, temperature
    ):
        out.append(torch.zeros(len(weight_Mk), train_NC.shape[1]))
        for near in range(k):  # all neighbours at once would take k times the memory
            out[-1] += weight_Mk[:, near, None] * train_NC[index_Mk[:, near]]
    return torch.cat(out).numpy()


def _votes(
    train: Tensor | np.ndarray,
    labels: int,
    test: Tensor | np.ndarray,
    k: int,
    metric: Metric,
    weights: Weights,
    temperature: float,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights, adding up to 1, and numbers of the k nearest, both [M, k], block after block."""
    train_ND, test_MD = _rows(train, "training"), _rows(test, "test")
    N = len(train_ND)
    if train_ND.shape[1] != test_MD.shape[1] or labels != N:
        raise ValueError(
            f"{N} x {train_ND.shape[1]} training rows, {labels} labels and test rows "
            f"{test_MD.shape[1]} wide do not fit together"
        )
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= N:
        raise ValueError(f"k is between 1 and the {N} training rows, a whole number, not {k}")
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is 'cosine' or 'euclidean', not {metric!r}")
    if weights not in ("uniform", "softmax") or (weights == "softmax" and metric != "cosine"):
        raise ValueError("weights is 'uniform', or 'softmax' with metric='cosine'")
    # Euclidean rows are centred, since a common mean would cost digits and changes no distance.
    mean_D = train_ND.mean(0, dtype=torch.float32) if metric == "euclidean" else None
    for part_MD in test_MD.split(TEST_ROWS):
        value_Mk, index_Mk = _nearest(_ready(part_MD, mean_D, test=True), train_ND, mean_D, k)
        if weights == "softmax":
            yield torch.softmax(value_Mk / temperature, 1), index_Mk
        else:
            yield torch.full_like(value_Mk, 1 / k), index_Mk


def _nearest(
    test_MD: Tensor, train_ND: Tensor, mean_D: Tensor | None, k: int
) -> tuple[Tensor, Tensor]:
    """Similarities and row numbers of the k nearest, both [M, k], block after block."""
    M = len(test_MD)
    best = torch.empty(M, 0), torch.empty(M, 0, dtype=torch.int64)
    room = torch.empty(M * min(TRAIN_ROWS, len(train_ND)))  # once: fresh pages cost a tenth
    for first in range(0, len(train_ND), TRAIN_ROWS):
        block_ND = _ready(train_ND[first : first + TRAIN_ROWS], mean_D)
        near_MN = room[: M * len(block_ND)].view(M, -1)
        product(test_MD, block_ND, out_MN=near_MN)
        nearest, place = largest(near_MN, min(k, len(block_ND)))
        value = torch.cat([best[0], nearest], 1)
        index = torch.cat([best[1], place + first], 1)
        value, order = value.topk(min(k, value.shape[1]), dim=1)
        best = value, index.gather(1, order)
    return best


def _ready(rows: Tensor, mean_D: Tensor | None, test: bool = False) -> Tensor:
    """Rows of which the nearest have the largest product."""
    if mean_D is None:
        return torch.nn.functional.normalize(rows.float(), dim=1)
    rows = rows.float() - mean_D
    # |a - b|^2 = |b|^2 - 2 ab + const: the nearest has the largest ab - |b|^2 / 2.
    last_N1 = torch.ones(len(rows), 1) if test else rows.square().sum(1, keepdim=True) / -2
    return torch.cat([rows, last_N1], 1)


def _rows(rows: Tensor | np.ndarray, name: str) -> Tensor:
    rows = view(rows, f"{name} rows").detach()
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"{name} rows are a matrix with at least one row, got {list(rows.shape)}")
    if not all(finite(part.float()) for part in rows.split(TRAIN_ROWS)):
        raise ValueError(f"a {name} row is not finite")
    return rows
