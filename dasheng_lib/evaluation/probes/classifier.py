"""What a probe is: embeddings and their labels in, scores of other embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from dasheng_lib.common.arrays import numbers
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

    def checked(self) -> Turn:
        """The same as arrays that fit together.

        Raises:
            ValueError: features are no rows of numbers or differ in width; targets are not 0 or 1,
                or not a row a row of features.
        """
        parts = {"train": self.train, "test": self.test, "valid": self.valid}
        x = {name: _features(part) for name, part in parts.items() if part is not None}
        y = {"train_NC": _targets(self.train_NC, x["train"])}
        if self.valid_NC is not None:
            y["valid_NC"] = _targets(self.valid_NC, x["valid"])
        widths = {part.shape[1] for part in x.values() if not isinstance(part, Embedded)}
        if len(widths) > 1:
            raise ValueError(f"features that train and that are tested have {widths} columns")
        return Turn(**x, **y)


def _features(x: Features) -> Features:
    if isinstance(x, Embedded):
        return x
    x_ND = numbers(x, "features", 2)
    return x_ND if x_ND.dtype in (np.float32, np.float64) else x_ND.astype(np.float32)


def _targets(y: np.ndarray, x: Features) -> np.ndarray:
    y_NC = numbers(y, "targets", 2)
    if len(y_NC) != len(x) or not len(y_NC) or not ((y_NC == 0) | (y_NC == 1)).all():
        raise ValueError(f"{len(x)} rows take as many of targets 0 or 1, not {[*y_NC.shape]}")
    return y_NC


# Scores [M, C] of each turn's test rows. Of a probe that selects by the validation split; it sees
# one fold after the other, and may keep what it selected in the first.
Selector = Callable[[Iterable[Turn]], Iterable[np.ndarray]]
