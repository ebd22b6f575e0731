"""SlowFast NFNet-F0: two convolutional paths without normalisation layers, HARES' best network.

The slow path sees a quarter of the frames through eight times the channels; before every stage it
is handed what the fast path has found. Axes are time x mel.
Shapes: B clips, T frames (10 ms), F mel bins, C channels, D width of the features, K blocks of
both paths (24).

Source: Wang et al., HARES, arXiv 2111.12124, Table 5, and the authors' release in JAX
(google-deepmind/slowfast_nfnets @ 0e69ba3, Apache-2.0). Where the two disagree the paper is the
default and :class:`SlowFastConfig` has the other.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.model.nfnet import DEPTHS, Path, PathPlan
from dasheng_lib.model.scaled_convolution import ScaledConv, pad_same

TIME_RATIO = 4  # frames of the fast path for one of the slow
FUSED = (64, 256, 512, 1024)  # the release's; the paper's table has none
FRAMES_PER_FAST = 4  # frames of log-mel for a frame of the fast path, by the stem

SLOW = PathPlan((256, 512, 1536, 1536), 128, ((1, 3), (1, 3), (1, 3), (3, 3)), (1, 1, 3, 3))
FAST = PathPlan((32, 64, 192, 192), 16, ((3, 3),) * 4, (3, 3, 3, 3))
FAST_RELEASED = PathPlan(FAST.widths, 16, ((3, 3), (1, 3), (1, 3), (3, 3)), FAST.frames)


@dataclass(frozen=True)
class SlowFastConfig:
    """Size of a network, and its answers where paper and release disagree.

    Attributes:
        width_divisor: what all widths and group sizes are divided by: 1, 2, 4, 8 or 16.
        final_conv: one more 1x1 convolution on each path, which doubles the features. The paper's
            features have 1,728 numbers and its table no such layer; the release gives 3,456.
        fast_stem: kernels of the fast path's second and third convolution. ``"paper"``: 3x3;
            ``"release"``: 1x3.
        reduction: how the slow path comes to a quarter of the frames. ``"stride"``: every fourth
            (paper); ``"max-pool"``: the largest of four (release).
        mels: bins that :class:`dasheng_lib.model.slowfast_encoder.SlowFastEncoder` computes: 80 by
            the paper's text, 128 by its Table 5. The network itself takes any number.

    Raises:
        ValueError: a choice that there is not, or a divisor that does not divide the group sizes.
    """

    width_divisor: int = 1
    final_conv: bool = False
    fast_stem: Literal["paper", "release"] = "paper"
    reduction: Literal["stride", "max-pool"] = "stride"
    mels: int = 80

    def __post_init__(self) -> None:
        if self.width_divisor < 1 or FAST.group % self.width_divisor:
            raise ValueError(
                f"width_divisor divides the groups of {FAST.group} channels: it is 1, 2, 4, 8 or "
                f"16, not {self.width_divisor}"
            )
        if not 1 <= self.mels <= 512:
            raise ValueError(f"mels is 1 to 512, not {self.mels}")
        if self.fast_stem not in ("paper", "release"):
            raise ValueError(f"fast_stem is 'paper' or 'release', not {self.fast_stem!r}")
        if self.reduction not in ("stride", "max-pool"):
            raise ValueError(f"reduction is 'stride' or 'max-pool', not {self.reduction!r}")


def sfnfnet_config(size: str) -> SlowFastConfig:
    """The network of a size's name: ``"sfnfnet"``, or ``"sfnfnet-8"`` with all widths / 8.

    Raises:
        ValueError: no such size.
    """
    said = re.fullmatch(r"sfnfnet(?:-([1-9]\d*))?", size)
    if not said:
        raise ValueError(
            f"There is no size {size!r}: choose sfnfnet, or sfnfnet-2, -4, -8 or -16 for a network "
            "of a half to a sixteenth of its widths"
        )
    return SlowFastConfig(int(said[1] or 1))


class SlowFastNFNet(nn.Module):
    """``model(mel_BTF)`` is one vector for each clip: the means of both paths, ``[B, D]``.

    Args:
        width_divisor, final_conv, choices: see :class:`SlowFastConfig`. D is 1,728 / width_divisor
            without final convolutions, slow path first, and 3,456 / width_divisor with them, fast
            path first, as the paper's and the release's.

    Raises:
        ValueError: as for :class:`SlowFastConfig`.
    """

    def __init__(self, width_divisor: int = 1, final_conv: bool = True, **choices: Any) -> None:
        super().__init__()
        self.config = config = SlowFastConfig(width_divisor, final_conv, **choices)
        fast = FAST if config.fast_stem == "paper" else FAST_RELEASED
        fused = tuple(channels // width_divisor for channels in FUSED)
        self.slow = Path(SLOW, width_divisor, fused, final_conv)
        self.fast = Path(fast, width_divisor, (0, 0, 0, 0), final_conv)
        self.fusions = nn.ModuleList(
            ScaledConv(channels, out, (7, 1), (TIME_RATIO, 1))
            for channels, out in zip(self.fast.stage_inputs, fused, strict=True)
        )
        self.dim = self.slow.dim + self.fast.dim
        self.drops = 2 * sum(DEPTHS)

    def forward(self, mel_BTF: Tensor, drop_BK: Tensor | None = None) -> Tensor:
        """The features of clips, ``[B, D]``, float32.

        Args:
            mel_BTF: normalised log-mel of any number of frames and bins.
            drop_BK: numbers in [0, 1) that decide in training which clip skips which block; by
                default they come from torch's own generator.
        """
        return self._joined(*(path_BCT.mean(2) for path_BCT in self.paths(mel_BTF, drop_BK)))

    def frames(self, mel_BTF: Tensor, drop_BK: Tensor | None = None) -> Tensor:
        """Features over time, ``[B, ceil(T / 4), D]``: a vector for each four frames, float32.

        These are the frames of the fast path; each of the slow path stands under four of them.
        """
        slow_BCT, fast_BCT = self.paths(mel_BTF, drop_BK)
        slow_BCT = slow_BCT.repeat_interleave(TIME_RATIO, 2)[..., : fast_BCT.shape[2]]
        return self._joined(slow_BCT, fast_BCT).transpose(1, 2)

    def paths(self, mel_BTF: Tensor, drop_BK: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the two paths give, mean over mel: slow ``[B, C, T / 16]``, fast ``[B, C, T / 4]``.

        Raises:
            ValueError: no batch of spectrograms.
        """
        if mel_BTF.ndim != 3 or not mel_BTF.numel():
            raise ValueError(f"mel is [clips, frames, bins], got {list(mel_BTF.shape)}")
        if drop_BK is None and self.training:
            drop_BK = torch.rand(len(mel_BTF), self.drops, device=mel_BTF.device)
        drops = (None,) * self.drops if drop_BK is None else drop_BK.to(mel_BTF.device).unbind(1)
        x_BCTF = mel_BTF[:, None]
        slow_BCTF, fast_BCTF = self.slow.stem(self.reduce(x_BCTF)), self.fast.stem(x_BCTF)
        done = 0
        for fusion, depth in zip(self.fusions, DEPTHS, strict=True):
            # GELU without its gain: so the release, of which the paper says nothing.
            found_BCTF = F.gelu(fusion(fast_BCTF), approximate="tanh")
            slow_BCTF = torch.cat([slow_BCTF, found_BCTF], 1)
            for i in range(done, done + depth):
                slow_BCTF = self.slow.blocks[i](slow_BCTF, drops[i])
                fast_BCTF = self.fast.blocks[i](fast_BCTF, drops[sum(DEPTHS) + i])
            done += depth
        return self.slow.last(slow_BCTF), self.fast.last(fast_BCTF)

    def reduce(self, x_BCTF: Tensor) -> Tensor:
        """The slow path's quarter of the frames, rounded up."""
        if self.config.reduction == "stride":
            return x_BCTF[:, :, ::TIME_RATIO]
        window = (TIME_RATIO, 1)
        return F.max_pool2d(pad_same(x_BCTF, window, window, -math.inf), window)

    def _joined(self, slow: Tensor, fast: Tensor) -> Tensor:
        return torch.cat([fast, slow] if self.config.final_conv else [slow, fast], 1)
