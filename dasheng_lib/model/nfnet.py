"""A path of SlowFast NFNet-F0: an NFNet with kernels over time and over mel apart.

Shapes: B clips, C channels, T frames, F mel bins. Source: see
:mod:`dasheng_lib.model.slowfast_nfnet`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.model.scaled_convolution import ScaledConv, SqueezeExcite, scaled_gelu

ALPHA = 0.2  # deviation of what a block adds, where that of what it is added to is 1
DROP_RATE = 0.1  # towards which the blocks' rates of stochastic depth rise
DEPTHS = (1, 2, 6, 3)  # blocks of each stage
STRIDES = ((1, 1), (1, 2), (1, 2), (1, 2))  # of the first block of each stage
STEM_STRIDES = ((2, 2), (1, 1), (1, 1), (2, 2))
NARROWEST = 4


@dataclass(frozen=True)
class PathPlan:
    """Widths of stages, channels of a group, kernels of the stem, frames of a stage's kernels."""

    widths: tuple[int, int, int, int]
    group: int
    stem: tuple[tuple[int, int], ...]
    frames: tuple[int, int, int, int]


class Path(nn.Module):
    """One of the two: a stem of four convolutions, twelve blocks, and a convolution if wanted.

    Args:
        fused: channels that come to each stage from the other path.
    """

    def __init__(
        self, plan: PathPlan, divisor: int, fused: tuple[int, ...], final_conv: bool
    ) -> None:
        super().__init__()
        width = plan.widths[0] // 2
        channels = [1, *(_divided(width // part, divisor) for part in (8, 4, 2, 1))]
        self.stem = Stem(
            ScaledConv(*sizes, kernel, stride)
            for *sizes, kernel, stride in zip(
                channels, channels[1:], plan.stem, STEM_STRIDES, strict=False
            )
        )
        inputs, index, deviation = channels[-1], 0, 1.0
        self.stage_inputs: list[int] = []
        self.blocks = nn.ModuleList()
        for stage, depth in enumerate(DEPTHS):
            self.stage_inputs.append(inputs)
            outputs = _divided(plan.widths[stage], divisor)
            for place in range(depth):
                self.blocks.append(
                    Block(
                        inputs + (fused[stage] if place == 0 else 0),
                        outputs,
                        _divided(plan.widths[stage] // 2, divisor),
                        plan.group // divisor,
                        plan.frames[stage],
                        STRIDES[stage] if place == 0 else (1, 1),
                        beta=1 / deviation,
                        drop_rate=DROP_RATE * index / sum(DEPTHS),
                    )
                )
                # A stage's first block still divides by what the stage before it has gathered.
                deviation = math.hypot(1.0 if place == 0 else deviation, ALPHA)
                inputs, index = outputs, index + 1
        self.final = ScaledConv(inputs, 2 * inputs) if final_conv else None
        self.dim = 2 * inputs if final_conv else inputs

    def last(self, x_BCTF: Tensor) -> Tensor:
        """What the last block gave as features, mean over mel: ``[B, C, T]``, float32."""
        if self.final is not None:
            x_BCTF = F.gelu(self.final(x_BCTF), approximate="tanh")  # without gain: the release
        return x_BCTF.float().mean(3)


class Stem(nn.ModuleList):
    """Convolutions with a GELU between one and the next, and none behind the last."""

    def forward(self, x_BCTF: Tensor) -> Tensor:
        for i, conv in enumerate(self):
            x_BCTF = conv(scaled_gelu(x_BCTF) if i else x_BCTF)
        return x_BCTF


class Block(nn.Module):
    """A bottleneck with grouped convolutions over time, then over mel, added to its input.

    Its skip gain begins at 0, so that at first the shortcut is all there is.

    Args:
        group: channels that a grouped convolution mixes.
        frames: kernel of the convolution over time.
        beta: brings the input's variance to 1.
        drop_rate: of clips that skip the block in training; the others' is not scaled up for it.

    Raises:
        ValueError: ``group`` does not divide ``bottleneck``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bottleneck: int,
        group: int,
        frames: int,
        stride: tuple[int, int],
        beta: float,
        drop_rate: float,
    ) -> None:
        super().__init__()
        if bottleneck % group:
            raise ValueError(f"groups of {group} channels do not divide a width of {bottleneck}")
        self.stride, self.beta, self.drop_rate = stride, beta, drop_rate
        groups = bottleneck // group
        self.conv0 = ScaledConv(inputs, bottleneck)
        self.conv1 = ScaledConv(bottleneck, bottleneck, (frames, 1), stride, groups)
        self.conv1b = ScaledConv(bottleneck, bottleneck, (1, 3), groups=groups)
        self.conv2 = ScaledConv(bottleneck, outputs)
        changes = stride != (1, 1) or inputs != outputs
        self.conv_shortcut = ScaledConv(inputs, outputs) if changes else None
        self.squeeze_excite = SqueezeExcite(outputs)
        self.skip_gain = nn.Parameter(torch.zeros(()))

    def forward(self, x_BCTF: Tensor, drop_B: Tensor | None = None) -> Tensor:
        """The block of a batch; ``drop_B`` are numbers in [0, 1), without effect in evaluation."""
        y_BCTF = scaled_gelu(x_BCTF) * self.beta
        shortcut_BCTF = x_BCTF
        if self.conv_shortcut is not None:
            # By "ceil" a last pool that is not full is the mean of what is in it.
            pooled_BCTF = y_BCTF
            if self.stride != (1, 1):
                pooled_BCTF = F.avg_pool2d(y_BCTF, self.stride, ceil_mode=True)
            shortcut_BCTF = self.conv_shortcut(pooled_BCTF)
        y_BCTF = self.conv1(scaled_gelu(self.conv0(y_BCTF)))
        y_BCTF = self.conv2(scaled_gelu(self.conv1b(scaled_gelu(y_BCTF))))
        y_BCTF = y_BCTF * self.squeeze_excite(y_BCTF)
        if self.training and drop_B is not None:
            y_BCTF = y_BCTF * (drop_B >= self.drop_rate)[:, None, None, None]
        return shortcut_BCTF + y_BCTF * (self.skip_gain * ALPHA)


def _divided(width: int, divisor: int) -> int:
    """``width / divisor``, but no less than 4 where the width was no less.

    A 1x1 convolution of one channel is standardised to nothing, and of two to a difference.
    """
    return max(width // divisor, min(width, NARROWEST))
