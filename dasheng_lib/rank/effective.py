"""Effective rank of embeddings, from sums that can be streamed, merged and all-reduced.

Shapes: N rows (clips), D columns (width).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dasheng_lib.common.fast_cpu import finite
from dasheng_lib.common.tensors import array_of, view
from dasheng_lib.rank.moments import CACHED, PART, Moments, Waiting


def rankme(Z_ND: Tensor | np.ndarray, centred: bool = False) -> float:
    """RankMe of a matrix: exp of the entropy of its normalised singular values.

    ``p_k = s_k / sum(s)`` and ``RankMe = exp(-sum p_k log p_k)``, with 0 log 0 = 0; between 1 and
    ``min(N, D)``. In float64, without the epsilon of the printed formula (it adds up to 0.3 % at
    1e-7 and fakes width scaling at 1e-5) and, as published, without centring.

    Args:
        Z_ND: one row a clip.
        centred: subtract the mean row first; the bound is then ``min(N - 1, D)``.

    Raises:
        ValueError: not a matrix, empty, or not finite.

    Source: Garrido et al. 2023, equation 1; Roy and Vetterli 2007.
    """
    Z_ND = view(Z_ND)
    return RankMe(Z_ND.shape[-1] if Z_ND.ndim else 0).update(Z_ND).compute(centred)


class RankMe:
    """RankMe of more rows than fit in memory: ``RankMe(D).update(Z).merge(other).compute()``.

    Holds count, mean and float64 scatter of two halves of the rows, and some rows that wait for
    more: memory 2 D x D and 4096 x D, whatever N is. Which half a row falls in hangs on its own
    numbers alone (:func:`in_first_half`), so that batches, shards and processes in any order give
    the same result, the corrected one included.

    Args:
        D: width.
        device: where the sums are kept and the products computed; it needs float64.
    """

    def __init__(self, D: int, device: torch.device | str = "cpu") -> None:
        self.D = D
        self.device = torch.device(device)
        self._summed = Moments(D, device), Moments(D, device)
        self._waiting = Waiting(D, device), Waiting(D, device)

    @property
    def count(self) -> int:
        """Rows seen."""
        return sum(rows.count for rows in (*self._summed, *self._waiting))

    @property
    def halves(self) -> tuple[Moments, Moments]:
        """The sums of both halves of the rows seen."""
        for half, waiting in zip(self._summed, self._waiting, strict=True):
            half.add(waiting.take())
        return self._summed

    def update(self, Z_ND: Tensor | np.ndarray) -> RankMe:
        """Add rows, ``[N, D]`` of any float type.

        Raises:
            ValueError: wrong shape, or a value is not finite; nothing is added then.
        """
        Z_ND = view(Z_ND).detach()
        if Z_ND.ndim != 2 or Z_ND.shape[1] != self.D or not self.D:
            raise ValueError(f"rows are [N, {self.D}], got {list(Z_ND.shape)}")
        if not all(map(finite, Z_ND.split(PART))):
            raise ValueError("a value is not finite: find it before you measure")
        for part_ND in Z_ND.split(CACHED if self.device.type == "cpu" else PART):
            part_ND = part_ND.to(self.device)
            rows, first_N = array_of(part_ND), array_of(in_first_half(part_ND))
            work = zip(self._summed, self._waiting, (first_N, ~first_N), strict=True)
            for half, waiting, mine_N in work:
                for rows_ND in waiting.gather(rows[mine_N]):
                    half.add(rows_ND)
        return self

    def merge(self, other: RankMe) -> RankMe:
        """Add the rows that another one has seen.

        Raises:
            ValueError: of another width.
        """
        if other.D != self.D:
            raise ValueError(f"widths {self.D} and {other.D} do not merge")
        for mine, theirs in zip(self.halves, other.halves, strict=True):
            mine.merge(theirs)
        return self

    def all_reduce(self) -> RankMe:
        """One that has seen the rows of all processes; this one stays as it is.

        Every process calls it and gets the same. Alone it has nothing to add. Rows that a sampler
        repeats to fill up the last batch are counted as often: leave them out.
        """
        total = RankMe(self.D, self.device)
        if dist.is_initialized():
            total._summed = self.halves[0].all_reduce(), self.halves[1].all_reduce()
            return total
        return total.merge(self)

    def singular_values(self, centred: bool = False) -> Tensor:
        """Singular values of the rows seen, descending, float64 [D] on the CPU.

        Raises:
            ValueError: no rows yet.
        """
        return _singular_values(self._whole(), centred)

    def compute(self, centred: bool = False) -> float:
        """RankMe of the rows seen; 0 if all of them are 0 (or equal, when centred)."""
        return effective_rank(self.singular_values(centred))

    def corrected(self, centred: bool = False) -> float:
        """RankMe of as many rows as one likes, from those seen: without the bias c / N, at most D.

        With N rows RankMe reads low by about 0.14 D / N of itself, whatever the spectrum. If it is
        off by c / N, the halves of n and m rows are off by c / n and c / m, which gives c. For
        equal halves that is Richardson's 2 R(N) - mean R(N / 2). From N = 8 D on it is right to
        0.2 %; at 2 D it reads up to 5 % high. Where all rows fall into one half, since there is
        one or all are the same, nothing is corrected.
        """
        whole = self.compute(centred)
        counts = [half.count for half in self.halves]
        if 0 in counts:
            return whole
        halves = [effective_rank(_singular_values(half, centred)) for half in self.halves]
        k = self.count * (1 / counts[0] + 1 / counts[1]) / 2  # 2 for equal halves, more for others
        return min((k * whole - sum(halves) / 2) / (k - 1), float(self.D))

    def per_dimension(self, centred: bool = False) -> float:
        """RankMe / D, in [0, 1]: what is left when the growth with width is taken out.

        Source: RankMe* of Tsitsulin et al. 2023.
        """
        return self.compute(centred) / self.D

    def mean_ratio(self) -> float:
        """Norm of the mean row over the RMS norm of the centred rows; infinite if all are equal.

        NaN if all are 0. Centred measures cannot see a collapse onto one vector; this can.
        """
        whole = self._whole()
        mean, spread = whole.mean_D.norm().item(), whole.spread()
        if spread == 0:
            return float("inf") if mean else float("nan")
        return mean / spread

    def _whole(self) -> Moments:
        if self.count == 0:
            raise ValueError("no rows yet: call update first")
        return Moments(self.D, self.device).merge(self.halves[0]).merge(self.halves[1])


def in_first_half(Z_ND: Tensor) -> Tensor:
    """For each row whether it belongs to the first of two halves, bool [N].

    A checksum of the row's bits in float32 decides, as good as at random. Equal rows fall into
    one half, as they should: the second adds nothing that the first did not show.
    """
    odd_D = torch.arange(1, 2 * Z_ND.shape[1], 2, device=Z_ND.device)
    weight_D = (odd_D * 0x9E3779B1).to(torch.int32)  # spreads low bits over the high ones
    bits_ND = Z_ND.float().view(torch.int32)
    if Z_ND.device.type == "cpu":  # the same, without a matrix of products between
        return torch.from_numpy(np.einsum("ij,j->i", bits_ND.numpy(), weight_D.numpy()) < 0)
    return (bits_ND * weight_D).sum(1, dtype=torch.int32) < 0


def effective_rank(values: Tensor) -> float:
    """exp(entropy) of nonnegative numbers taken as shares of their sum; 0 if all are 0."""
    total = values.sum()
    if total == 0:
        return 0.0
    p = values / total
    return float(torch.special.entr(p).sum().exp())


def _singular_values(moments: Moments, centred: bool) -> Tensor:
    matrix_DD = moments.scatter_DD if centred else moments.gram_DD()
    values = np.linalg.eigvalsh(matrix_DD.cpu().numpy())[::-1]  # quicker than torch's on CPUs
    # Below this an eigenvalue is rounding of the largest, and its root would count as rank:
    # a Gram matrix knows singular values down to 3e-8 of the largest, as float32 rows do.
    noise = values[0] * 4 * np.finfo(np.float64).eps
    noise = max(noise, moments.count * moments.rounding() ** 2)
    return torch.from_numpy(np.sqrt(np.where(values > noise, values, 0.0)))
