"""The most frequent training class, whatever the features: what any probe has to beat."""

from __future__ import annotations

import numpy as np


def majority(train_ND: np.ndarray, train_NC: np.ndarray, test_MD: np.ndarray) -> np.ndarray:
    """The share of each class in training, for every test row: [M, C]."""
    return np.broadcast_to(train_NC.mean(0), (len(test_MD), train_NC.shape[1]))
