"""Effective rank of embeddings, from sums that can be streamed, merged and all-reduced.

Shapes: N rows (clips), D columns (width).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def rankme(Z_ND: Tensor | np.ndarray, centred: bool = False) -> float:
    """RankMe of a matrix: exp of the entropy of its normalised singular values.

    ``p_k = s_k / sum(s)`` and ``RankMe = exp(-sum p_k log p_k)``, with 0 log 0 = 0; between 1 and
    ``min(N, D)``. In float64, without the epsilon of the printed formula (it adds up to 0.3 % at
    1e-7 and fakes width scaling at 1e-5) and, as published, without centring.

    Args:
        Z_ND: one row a clip.
        centred: subtract the mean row first.

    Raises:
        ValueError: not a matrix, empty, or not finite.

    Source: Garrido et al. 2023, equation 1; Roy and Vetterli 2007.
    """
    Z_ND = torch.as_tensor(Z_ND)
    return RankMe(Z_ND.shape[-1]).update(Z_ND).compute(centred)


class RankMe:
    """RankMe of more rows than fit in memory: ``RankMe(D).update(Z).merge(other).compute()``.

    Holds the number of rows, their sum and their float64 Gram matrix: memory D x D, whatever N
    is; shards may be merged in any order. The centred spectrum keeps five digits up to means of
    ten thousand deviations.
    """

    def __init__(self, D: int) -> None:
        self.count = 0
        self.sum_D = torch.zeros(D, dtype=torch.float64)
        self.gram_DD = torch.zeros(D, D, dtype=torch.float64)

    def update(self, Z_ND: Tensor | np.ndarray) -> RankMe:
        """Add rows, ``[N, D]`` of any float type.

        Raises:
            ValueError: wrong shape, or a value is not finite.
        """
        Z_ND = torch.as_tensor(Z_ND).detach()
        if Z_ND.ndim != 2 or Z_ND.shape[1] != len(self.sum_D):
            raise ValueError(f"rows are [N, {len(self.sum_D)}], got {list(Z_ND.shape)}")
        for part in Z_ND.split(4096):
            part = part.to(self.gram_DD.device, torch.float64)
            if not part.isfinite().all():
                raise ValueError("an embedding is not finite: RankMe of NaN means nothing")
            self.count += len(part)
            self.sum_D += part.sum(0)
            self.gram_DD.addmm_(part.T, part)
        return self

    def merge(self, other: RankMe) -> RankMe:
        """Add the rows that another one has seen."""
        if len(other.sum_D) != len(self.sum_D):
            raise ValueError(f"widths {len(self.sum_D)} and {len(other.sum_D)} do not merge")
        self.count += other.count
        self.sum_D += other.sum_D.to(self.sum_D.device)
        self.gram_DD += other.gram_DD.to(self.gram_DD.device)
        return self

    def singular_values(self, centred: bool = False) -> Tensor:
        """Singular values of the rows seen, descending, float64 [D]."""
        if self.count == 0:
            raise ValueError("no rows yet: call update first")
        gram_DD = self.gram_DD
        if centred:
            gram_DD = gram_DD - self.sum_D.outer(self.sum_D) / self.count
        values = torch.linalg.eigvalsh(gram_DD).flip(0).clamp_min(0.0)
        # Below this an eigenvalue is rounding of the largest, and its root would count as rank:
        # a Gram matrix knows singular values down to 3e-8 of the largest, as float32 rows do.
        noise = values[0] * 4 * torch.finfo(torch.float64).eps
        return values.where(values > noise, 0.0).sqrt()

    def compute(self, centred: bool = False) -> float:
        """RankMe of the rows seen; 0 if all of them are 0 (or equal, when centred)."""
        return effective_rank(self.singular_values(centred))


def effective_rank(values: Tensor) -> float:
    """exp(entropy) of nonnegative numbers taken as shares of their sum; 0 if all are 0."""
    total = values.sum()
    if total == 0:
        return 0.0
    p = values / total
    return float(torch.special.entr(p).sum().exp())
