"""Count, mean and scatter of rows, streamed, merged and summed over processes in float64.

On CPUs NumPy alone sums. Between its products the threads of torch would wait for work in a loop,
on the cores that the next product wants, and the whole would take up to twice as long.

Shapes: N rows, D columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dasheng_lib.common.fast_cpu import finite
from dasheng_lib.common.tensors import array_of

GATHERED = 2048  # rows that one product takes: of fewer, adding D x D up takes as long as they
PART = 4096  # rows taken at once: 24 MiB in float64 at a width of 768
CACHED = 256  # rows of a CPU that stay in its cache from the first thing done to them to the last
ROUNDING = 1e-12  # of the mean's norm: a spread below it is rounding, for the mean is rounded


class Moments:
    """What the rows seen so far add up to: memory D x D, whatever N is.

    The scatter is kept about the mean, not about zero, so that it loses no digits to a mean that
    is large beside the spread (Chan, Golub and LeVeque 1979).

    Attributes:
        count: rows seen.
        mean_D: their mean, float64.
        scatter_DD: sum of (x - mean)(x - mean)^T, float64.
    """

    def __init__(self, D: int, device: torch.device | str = "cpu") -> None:
        self.count = 0
        self.mean_D = torch.zeros(D, dtype=torch.float64, device=device)
        self.scatter_DD = torch.zeros(D, D, dtype=torch.float64, device=device)

    def add(self, rows_ND: Tensor) -> Moments:
        """Add rows, float64 [N, D] on the device of the sums; they are overwritten.

        Raises:
            ValueError: a value is not finite; nothing is added then.
        """
        n, total = len(rows_ND), self.count + len(rows_ND)
        if n:
            ones_N, rows, mean_D = map(array_of, (rows_ND.new_ones(n), rows_ND, self.mean_D))
            own_D = ones_N @ rows / n  # torch's own mean over rows takes three times as long
            # A NaN or an infinity in a column shows in its mean, which is quicker to check.
            if not finite(torch.as_tensor(own_D)):
                raise ValueError("a value is not finite: find it before you measure")
            apart_D = own_D - mean_D
            # About this centre the rows' products are those about their own mean, and what two
            # means that are apart add to the scatter of all: apart apart^T times count n / total.
            rows -= own_D - apart_D * (self.count / total) ** 0.5
            scatter_DD = array_of(self.scatter_DD)
            scatter_DD += _products(rows)
            mean_D += apart_D * (n / total)
            self.count = total
        return self

    def merge(self, other: Moments) -> Moments:
        """Add the rows that another one has seen."""
        if other.count:
            device = self.mean_D.device
            self._join(other.count, other.mean_D.to(device), other.scatter_DD.to(device))
        return self

    def all_reduce(self) -> Moments:
        """Those of the rows of all processes, in each of them; every process must call it."""
        total = torch.cat([self.mean_D * self.count, self.mean_D.new_tensor([self.count])])
        dist.all_reduce(total)
        result = Moments(len(self.mean_D), self.mean_D.device)
        result.count = round(total[-1].item())
        result.mean_D = total[:-1] / max(result.count, 1)
        apart_D = self.mean_D - result.mean_D
        result.scatter_DD = self.scatter_DD + self.count * apart_D.outer(apart_D)
        dist.all_reduce(result.scatter_DD)
        return result

    def gram_DD(self) -> Tensor:
        """Sum of x x^T, [D, D]."""
        mean_D = array_of(self.mean_D)
        return torch.as_tensor(array_of(self.scatter_DD) + (self.count * mean_D)[:, None] * mean_D)

    def spread(self) -> float:
        """RMS norm of the rows about their mean; 0 where all are equal but for rounding."""
        spread = (self.scatter_DD.trace().item() / max(self.count, 1)) ** 0.5
        return spread if spread > self.rounding() else 0.0

    def rms(self) -> float:
        """RMS norm of the rows."""
        squares = self.scatter_DD.trace().item() / max(self.count, 1)
        return (squares + self.mean_D.norm().item() ** 2) ** 0.5

    def rounding(self) -> float:
        """What may be left of a row that equals the mean when that is subtracted, as a norm."""
        return ROUNDING * self.mean_D.norm().item()

    def _join(self, count: int, mean_D: Tensor, scatter_DD: Tensor) -> None:
        total = self.count + count
        apart_D = array_of(mean_D - self.mean_D)
        sum_DD = array_of(self.scatter_DD)
        sum_DD += array_of(scatter_DD)
        sum_DD += (self.count * count / total * apart_D)[:, None] * apart_D
        self.mean_D += torch.as_tensor(apart_D * (count / total))
        self.count = total


class Waiting:
    """Rows that wait for others, so that a stream of small batches is summed as one of large ones.

    Attributes:
        count: rows that wait.
    """

    def __init__(self, D: int, device: torch.device | str = "cpu") -> None:
        self.count = 0
        self._room_GD = torch.empty(GATHERED, D, dtype=torch.float64, device=device)

    def gather(self, rows: Tensor | np.ndarray) -> Iterator[Tensor]:
        """Let rows wait; yields all that wait, to be overwritten, whenever they are enough."""
        while len(rows):
            taken = rows[: GATHERED - self.count]
            array_of(self._room_GD)[self.count : self.count + len(taken)] = taken
            self.count += len(taken)
            rows = rows[len(taken) :]
            if self.count == GATHERED:
                yield self.take()

    def take(self) -> Tensor:
        """All rows that wait, float64; none waits any more."""
        rows_ND, self.count = self._room_GD[: self.count], 0
        return rows_ND


def moments_of(Z_ND: Tensor) -> Moments:
    """Those of all rows of a matrix of any float type."""
    moments = Moments(Z_ND.shape[1], Z_ND.device)
    for part_ND in Z_ND.split(PART):
        moments.add(part_ND.to(torch.float64, copy=True))
    return moments


def _products(rows: Tensor | np.ndarray) -> Tensor | np.ndarray:
    """rows^T rows, [D, D]. NumPy sees that both are one matrix and computes half of the product."""
    return rows.T @ rows
