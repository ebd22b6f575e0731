"""Clips of mixed length in batches of neighbours in length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def length_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Batches that together hold every clip once, longest first: memory fails early or never.

    Args:
        lengths: int [clips].
        budget: longest clip of a batch times its clips is at most this, unless a single clip is
            longer.

    Yields:
        Rows of ``lengths``, int64; lengths do not increase from row to row or batch to batch.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    while len(order):
        size = max(int(budget // max(lengths[order[0]], 1)), 1)
        yield order[:size]
        order = order[size:]
