"""Many small MLPs of one depth as one batched model, without autograd.

h x [Linear, BatchNorm1d, Dropout, ReLU], then Linear. Every tensor has a first dimension over the
models, so that a layer of all of them is one batched product; the backward pass is written out.

Shapes: M models, N rows, D features, H hidden units, C classes. A network of one model reads
the rows as [1, N, D]; so do M models that share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam

Init = Literal["xavier_uniform", "xavier_normal"]
INITS: tuple[Init, ...] = ("xavier_uniform", "xavier_normal")
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8
NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1


@dataclass(frozen=True)
class Point:
    """A grid point: hidden layers, Adam's learning rate, distribution of the first weights."""

    layers: int
    lr: float
    init: Init


@dataclass(frozen=True, eq=False)
class Network:
    """M networks of h hidden layers.

    A bias in front of a BatchNorm has no gradient and cancels in its output, but for the running
    mean, which starts at 0 and has to find it. So there is none: the running mean starts at minus
    the bias instead, and every output is that of a network with one.

    Attributes:
        weight: h + 1 tensors, [M, H, D], [M, H, H] and [M, C, H].
        scale, shift: of the h BatchNorms, [M, 1, H].
        mean, var: their running statistics, [M, 1, H].
        bias: of the output, [M, 1, C].
    """

    weight: tuple[Tensor, ...]
    scale: tuple[Tensor, ...]
    shift: tuple[Tensor, ...]
    mean: tuple[Tensor, ...]
    var: tuple[Tensor, ...]
    bias: tuple[Tensor, ...]

    @property
    def trained(self) -> list[Tensor]:
        """What has a gradient."""
        return [*self.weight, *self.scale, *self.shift, *self.bias]

    def take(self, models: Sequence[int]) -> Network:
        """Copies of some of the models."""
        return self._each(lambda tensor: tensor[list(models)])

    def one(self, model: int) -> Network:
        """A view of one of the models."""
        return self._each(lambda tensor: tensor[model : model + 1])

    def to(self, device: str) -> Network:
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, act) -> Network:
        return Network(*[tuple(map(act, getattr(self, field.name))) for field in fields(self)])


def stack(networks: Sequence[Network]) -> Network:
    """Networks of the same widths as one."""
    parts = [[getattr(n, field.name) for n in networks] for field in fields(Network)]
    return Network(*[tuple(map(torch.cat, zip(*part, strict=True))) for part in parts])


def initial_network(point: Point, D: int, C: int, hidden: int, seed: Sequence[int]) -> Network:
    """One network as heareval begins it; the same for the same ``seed``, whatever else trains.

    Xavier weights with gain 1 for the first layer and sqrt(2) for every later one, the output
    included; biases uniform within 1 / sqrt(inputs), torch's default.
    """
    generator = torch.Generator().manual_seed(number_from(seed))
    widths = [D, *[hidden] * point.layers, C]
    weight, bias = [], []
    for layer, (before, after) in enumerate(pairwise(widths)):
        weight.append(torch.empty(after, before))
        draw = getattr(torch.nn.init, f"{point.init}_")
        draw(weight[-1], gain=2**0.5 if layer else 1.0, generator=generator)
        bound = before**-0.5
        bias.append(torch.empty(1, 1, after).uniform_(-bound, bound, generator=generator))
    ones = [torch.ones(1, 1, hidden) for _ in range(2 * point.layers)]
    zeros = [torch.zeros(1, 1, hidden) for _ in range(point.layers)]
    half = point.layers
    return Network(
        weight=tuple(w[None] for w in weight),
        scale=tuple(ones[:half]),
        shift=tuple(zeros),
        mean=tuple(-b for b in bias[:-1]),
        var=tuple(ones[half:]),
        bias=(bias[-1],),
    )


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


def logits(net: Network, x_MND: Tensor) -> Tensor:
    """Outputs in evaluation, from running statistics: [M, N, C]."""
    a = x_MND
    for weight, scale, shift, mean, var in zip(
        net.weight[:-1], net.scale, net.shift, net.mean, net.var, strict=True
    ):
        factor = scale * (var + NORM_EPS).rsqrt()
        a = torch.addcmul(shift - mean * factor, _product(a, weight.mT), factor).clamp_(min=0)
    return _product(a, net.weight[-1].mT).add_(net.bias[0])


def backward(
    net: Network,
    x_MND: Tensor,
    y_MNC: Tensor,
    gates_MNH: Sequence[Tensor],
    multilabel: bool,
    gradient: Sequence[Tensor],
    room: dict[tuple, Tensor],
) -> None:
    """Gradient of the mean loss, into ``gradient`` (as :attr:`Network.trained`).

    Moves the running statistics, as a forward pass in training does. At least 2 rows.

    Args:
        gates_MNH: of each hidden layer, from :func:`dropout_gate`.
        multilabel: binary cross-entropy, else cross-entropy of one-hot rows.
        room: memory that calls with the same networks share; empty at first. Fresh pages for
            every product cost a tenth of a step.
    """
    N, h = x_MND.shape[1], len(net.scale)

    def place(name: str, layer: int) -> Tensor:
        key = (name, layer, N)
        if key not in room:
            M, H = net.scale[0].shape[0], net.scale[0].shape[2]
            room[key] = x_MND.new_empty(M, N, H)
        return room[key]

    a, kept = x_MND, []
    for layer in range(h):
        z, y, gate = (place(name, layer) for name in ("z", "y", "gate"))
        _product(a, net.weight[layer].mT, out=z)
        mean = z.mean(1, keepdim=True)
        z -= mean
        var = torch.mul(z, z, out=y).mean(1, keepdim=True)
        net.mean[layer].lerp_(mean, NORM_MOMENTUM)
        net.var[layer].lerp_(var * (N / (N - 1)), NORM_MOMENTUM)
        inverse = (var + NORM_EPS).rsqrt_()
        z *= inverse  # the normalised values from here on
        torch.addcmul(net.shift[layer], z, net.scale[layer], out=y)
        # What dropout and ReLU together multiply by: the dropout's value where y > 0, else 0.
        torch.ops.aten.threshold_backward(gates_MNH[layer].expand_as(y), y, 0, grad_input=gate)
        kept.append((a, z, inverse, gate))
        a = y.mul_(gate)
    out = _product(a, net.weight[h].mT).add_(net.bias[0])
    if multilabel:
        d = (out.sigmoid_() - y_MNC).div_(N * out.shape[2])
    else:
        d = (out.softmax(2) - y_MNC).div_(N)
    d_weight, d_bias = gradient[: h + 1], gradient[-1]
    d_scale, d_shift = gradient[h + 1 : 2 * h + 1], gradient[2 * h + 1 : 3 * h + 1]
    torch.sum(d, 1, keepdim=True, out=d_bias)
    for layer in range(h, -1, -1):
        torch.bmm(d.mT, a.expand(len(d), -1, -1), out=d_weight[layer])
        if layer == 0:
            return
        a, z, inverse, gate = kept[layer - 1]
        d = torch.bmm(d, net.weight[layer], out=place("d", layer))
        d *= gate
        torch.sum(d, 1, keepdim=True, out=d_shift[layer - 1])
        torch.sum(torch.mul(d, z, out=gate), 1, keepdim=True, out=d_scale[layer - 1])
        # BatchNorm: scale / deviation * (d - mean(d) - z mean(d z)).
        d -= d_shift[layer - 1] / N
        d.addcmul_(z, d_scale[layer - 1], value=-1 / N)
        d *= net.scale[layer - 1] * inverse


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.bmm(a.expand(len(b), -1, -1), b, out=out)


class Adam:
    """torch's fused Adam for stacked tensors, with a learning rate for each model.

    Args:
        trained, gradient: the tensors to move and where their gradients will lie, [M, ...].
        rates: a learning rate for each model.
        state: averages and step counts to go on from, as :attr:`state`.
    """

    def __init__(
        self,
        trained: Sequence[Tensor],
        gradient: Sequence[Tensor],
        rates: Sequence[float],
        state: tuple[list[Tensor], list[Tensor], Tensor] | None = None,
    ) -> None:
        if state is None:
            zeros = [[torch.zeros_like(t) for t in trained] for _ in range(2)]
            steps = torch.zeros(len(rates), len(trained), device=trained[0].device)
            state = (*zeros, steps)
        self.state, self.rates = state, list(rates)
        first, second, steps = state
        self._calls = [
            ([[t[i] for t in some] for some in (trained, gradient, first, second)], steps[i])
            for i in range(len(rates))
        ]

    def take(
        self, models: Sequence[int], trained: Sequence[Tensor], gradient: Sequence[Tensor]
    ) -> Adam:
        """The optimizer of some of the models, which now lie in other tensors."""
        rows = list(models)
        first, second = ([t[rows] for t in some] for some in self.state[:2])
        rates = [self.rates[i] for i in rows]
        return Adam(trained, gradient, rates, (first, second, self.state[2][rows]))

    def step(self) -> None:
        for (trained, gradient, first, second), steps, lr in self._each():
            adam(
                trained,
                gradient,
                first,
                second,
                [],
                steps,
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=lr,
                weight_decay=0.0,
                eps=ADAM_EPS,
                maximize=False,
            )

    def _each(self):
        for (tensors, steps), lr in zip(self._calls, self.rates, strict=True):
            yield tensors, list(steps.unbind()), lr
