"""One small MLP as heareval begins it, and the dropout of its training.

Shapes: N rows, D features, H hidden units, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

Init = Literal["xavier_uniform", "xavier_normal"]
INITS: tuple[Init, ...] = ("xavier_uniform", "xavier_normal")


@dataclass(frozen=True)
class Point:
    """A grid point: hidden layers, Adam's learning rate, distribution of the first weights."""

    layers: int
    lr: float
    init: Init


class Network(nn.Module):
    """h x [Linear, BatchNorm1d, Dropout, ReLU], then Linear.

    Xavier weights with gain 1 for the first layer and sqrt(2) for every later one, the output
    included; biases uniform within 1 / sqrt(inputs), torch's default. All are the same for the
    same ``seed``, whatever else trains.

    A bias in front of a BatchNorm has no gradient and cancels in its output, but for the running
    mean, which starts at 0 and has to find it. So there is none: the running mean starts at minus
    the bias instead, and every output is that of a network with one.
    """

    def __init__(self, point: Point, D: int, C: int, hidden: int, seed: Sequence[int]) -> None:
        super().__init__()
        self.linears, self.norms = nn.ModuleList(), nn.ModuleList()
        generator = torch.Generator().manual_seed(number_from(seed))
        draw = getattr(nn.init, f"{point.init}_")
        for layer, (before, after) in enumerate(pairwise([D, *[hidden] * point.layers, C])):
            last = layer == point.layers
            linear = nn.utils.skip_init(nn.Linear, before, after, bias=last)
            draw(linear.weight, gain=2**0.5 if layer else 1.0, generator=generator)
            bound = before**-0.5
            bias = torch.empty(after).uniform_(-bound, bound, generator=generator)
            if last:
                linear.bias.data = bias
            else:
                self.norms.append(nn.BatchNorm1d(hidden))
                self.norms[-1].running_mean -= bias
            self.linears.append(linear)

    def forward(self, x_ND: Tensor, gates_NH: Sequence[Tensor] = ()) -> Tensor:
        """Logits [N, C].

        Args:
            gates_NH: in training one for each hidden layer, from :func:`dropout_gate`.
        """
        x = x_ND
        for layer, norm in enumerate(self.norms):
            x = norm(self.linears[layer](x))
            if gates_NH:
                x = x * gates_NH[layer]
            x = x.relu()
        return self.linears[-1](x)


def number_from(seed: Sequence[int]) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)


def dropout_gate(shape: tuple[int, int], dropout: float, seed: Sequence[int]) -> Tensor:
    """0 with probability ``dropout``, else 1 / (1 - dropout): float32, a value for each unit.

    The probability is rounded to 1 / 65536. Drawn on the CPU, so that every device sees the same.
    """
    cells = shape[0] * shape[1]
    bits = np.random.SFC64(seed).random_raw(-(-cells // 4)).view(np.uint16)[:cells]
    kept = bits >= round(dropout * 65536)
    return torch.from_numpy(kept.astype(np.float32)).mul_(1 / (1 - dropout)).view(shape)
