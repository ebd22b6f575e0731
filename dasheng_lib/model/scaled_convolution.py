"""What a network without normalisation layers is made of: standardised weights, a scaled GELU.

Shapes: B clips, C channels, T frames, F mel bins; O and I outputs and inputs of a convolution.
Source: Brock et al. 2021, "Characterizing signal propagation to close the performance gap in
unnormalized ResNets" (scaled weight standardisation); padding as TensorFlow and JAX do it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GELU_GAIN = 1.7015043497085571  # gives GELU of unit Gaussian noise a variance of 1
SMALLEST = 1e-4  # that a weight's variance times its fan-in counts as, at least


def scaled_gelu(x: Tensor) -> Tensor:
    """GELU by its tanh approximation, JAX's default, scaled to keep the variance."""
    return F.gelu(x, approximate="tanh") * GELU_GAIN


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind that give ``ceil(size / stride)`` outputs; an odd one goes behind."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(
    x_BCTF: Tensor, kernel: tuple[int, int], stride: tuple[int, int], value: float = 0.0
) -> Tensor:
    """``x_BCTF`` with its time and mel axes padded, see :func:`same_padding`."""
    time = same_padding(x_BCTF.shape[2], kernel[0], stride[0])
    mel = same_padding(x_BCTF.shape[3], kernel[1], stride[1])
    return F.pad(x_BCTF, (*mel, *time), value=value) if any((*time, *mel)) else x_BCTF


class ScaledConv(nn.Module):
    """A convolution over time x mel whose weights are standardised at every use, with SAME padding.

    Each output's weights lose their mean and are divided by their deviation times the root of the
    fan-in, so that unit Gaussian noise comes out with a variance of ``gain`` squared.

    Raises:
        ValueError: the groups do not divide the channels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__()
        if inputs % groups or outputs % groups:
            raise ValueError(f"{groups} groups do not divide {inputs} and {outputs} channels")
        self.kernel, self.stride, self.groups = kernel, stride, groups
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, *kernel))
        self.gain = nn.Parameter(torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=self.weight[0].numel() ** -0.5)

    def forward(self, x_BCTF: Tensor) -> Tensor:
        x_BCTF = pad_same(x_BCTF, self.kernel, self.stride)
        weight = standardised(self.weight, self.gain)
        return F.conv2d(x_BCTF, weight, self.bias, self.stride, groups=self.groups)


def standardised(weight_OITF: Tensor, gain_O: Tensor) -> Tensor:
    """Weights with mean 0 and variance ``gain**2 / fan_in`` for each output."""
    variance, mean = torch.var_mean(weight_OITF, (1, 2, 3), correction=0, keepdim=True)
    power = (variance * weight_OITF[0].numel()).clamp_min(SMALLEST)
    return (weight_OITF - mean) * (power.rsqrt() * gain_O[:, None, None, None])


class SqueezeExcite(nn.Module):
    """A factor in (0, 2) for each channel of a clip, from the channels' means: ``[B, C, 1, 1]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 2, 4)  # fewer may all be silent from the start
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        for linear in (self.squeeze, self.excite):
            std = linear.in_features**-0.5
            nn.init.trunc_normal_(linear.weight, std=std, a=-2 * std, b=2 * std)
            nn.init.zeros_(linear.bias)

    def forward(self, x_BCTF: Tensor) -> Tensor:
        hidden = F.relu(self.squeeze(x_BCTF.mean((2, 3))))
        return 2 * self.excite(hidden).sigmoid()[:, :, None, None]
