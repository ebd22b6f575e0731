"""k-NN on frozen embeddings as they are.

Shapes: N training rows, M test rows, D features, C classes.
"""

from __future__ import annotations

from dasheng_lib.evaluation.probes.classifier import Classifier
from dasheng_lib.knn import Metric, Weights, knn_scores


def nearest(k: int = 10, metric: Metric = "cosine", weights: Weights = "uniform") -> Classifier:
    """Share of the votes of the ``k`` nearest, see :func:`dasheng_lib.knn.knn_scores`.

    Where fewer rows train, all vote.
    """

    def scores(train_ND, train_NC, test_MD):
        few = min(k, len(train_ND))
        return knn_scores(train_ND, train_NC, test_MD, few, metric, weights)

    return scores
