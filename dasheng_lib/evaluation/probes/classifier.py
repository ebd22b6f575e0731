"""What a probe is: embeddings and their labels in, scores of other embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from dasheng_lib.evaluation.embed import Embedded

# A vector a row, float32 [N, D]; of a probe that reads frames, all frames of N clips.
Features = np.ndarray | Embedded

# classify(train_ND, train_NC, test_MD) is [M, C], the larger the likelier. N training rows, of
# which each column of train_NC says 0 or 1; M test rows, D features, C classes. It chooses
# nothing; on which rows it trains, `Probe.valid` says.
Classifier = Callable[[Features, np.ndarray, Features], np.ndarray]


@dataclass(frozen=True, eq=False)
class Turn:
    """One fold: what trains, what is tested, and what selects (None if nothing does)."""

    train: Features
    train_NC: np.ndarray
    test: Features
    valid: Features | None = None
    valid_NC: np.ndarray | None = None

    def of(self, columns: tuple[int, ...]) -> Turn:
        """Of some classes only."""
        valid_NC = None if self.valid_NC is None else self.valid_NC[:, columns]
        return replace(self, train_NC=self.train_NC[:, columns], valid_NC=valid_NC)


# Scores [M, C] of each turn's test rows. Of a probe that selects by the validation split; it sees
# one fold after the other, and may keep what it selected in the first.
Selector = Callable[[Iterable[Turn]], Iterable[np.ndarray]]
