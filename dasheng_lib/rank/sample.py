"""What the measures are taken of, and what several of them share, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from dasheng_lib.rank.effective import RankMe
from dasheng_lib.rank.moments import PART, moments_of


@dataclass(frozen=True, eq=False)
class Sample:
    """Embeddings of a set of clips.

    Attributes:
        Z_ND: a row a clip, float [N, D], finite.
        views_NqD: embeddings of q views of each of some clips, or None.
        seed: of measures that draw.
    """

    Z_ND: Tensor
    views_NqD: Tensor | None = None
    seed: int = 0

    @cached_property
    def ranks(self) -> RankMe:
        """The sums of all rows."""
        return RankMe(self.Z_ND.shape[1]).update(self.Z_ND)

    @cached_property
    def variances_D(self) -> np.ndarray:
        """Eigenvalues of the unbiased covariance, descending, float64 [D]."""
        return self._values(centred=True)

    @cached_property
    def moments_D(self) -> np.ndarray:
        """Eigenvalues of the second moments about zero, descending, float64 [D]."""
        return self._values(centred=False)

    @cached_property
    def fourth(self) -> float:
        """Sum over rows of |x - mean|^4."""
        mean_D = moments_of(self.Z_ND).mean_D
        parts = self.Z_ND.split(PART)
        return sum((p - mean_D).square().sum(1).square().sum().item() for p in parts)

    def _values(self, centred: bool) -> np.ndarray:
        values = self.ranks.singular_values(centred).square().numpy()
        return values / max(len(self.Z_ND) - centred, 1)
