"""Views of a clip: what SimCLR and BYOL see two of, made of its log-mel in dB.

They are made of the log-mel and not of the waveform, as in both papers: resizing means nothing
elsewhere, and a front end runs once for all views. They take random numbers and draw none.

Shapes: B clips of this process, N of all processes, F mel bins, T frames (10 ms), t frames of a
view, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CANVAS = 1.5  # frames that a resized crop may come from, as a share of the clip's
SCALES = (0.6, 1.5)  # height and width of a resized crop, as a share of the clip's


def partners(views: int, N: int, generator: torch.Generator) -> Tensor:
    """For each view of each clip the number of another clip, float32 ``[N, views]``.

    Evenly drawn among all others; a single clip is its own.
    """
    ahead_Nv = 1 + (torch.rand(N, views, generator=generator) * (N - 1)).floor()
    return (torch.arange(N)[:, None] + ahead_Nv.clamp_max(max(N - 1, 1))) % N


def beta_5_2(chance_B6: Tensor) -> Tensor:
    """Draws from Beta(5, 2): of six even draws the second largest, ``[B]``."""
    return chance_B6.sort(-1).values[..., 4]


def cropped(mel_BFT: Tensor, chance_B: Tensor, t: int) -> Tensor:
    """``t`` neighbouring frames of each clip from an evenly drawn start, ``[B, F, t]``."""
    starts = mel_BFT.shape[2] - t + 1
    start_B = (chance_B * starts).long().clamp_max(starts - 1)
    frame_Bt = start_B[:, None] + torch.arange(t, device=mel_BFT.device)
    return mel_BFT.gather(2, frame_Bt[:, None].expand(-1, mel_BFT.shape[1], -1))


def mixed(mel_BFT: Tensor, other_BFT: Tensor, share_B: Tensor) -> Tensor:
    """``share`` of one log-mel and the rest of another, in dB: a level is then only an offset."""
    return other_BFT + share_B[:, None, None] * (mel_BFT - other_BFT)


def power_mixed(mel_BFT: Tensor, other_BFT: Tensor, share_B: Tensor) -> Tensor:
    """The same in power, as sounds mix: the louder one hides the other."""
    power_BFT = mixed(10 ** (mel_BFT / 10), 10 ** (other_BFT / 10), share_B)
    return 10 * power_BFT.clamp_min(1e-10).log10()


def boxes(chance_B4: Tensor, bins: int, T: int, least_height: float = SCALES[0]) -> Tensor:
    """Random parts of a canvas on which a clip lies in the middle: top, height, left, width.

    The canvas is as high as the clip and 1.5 times as long. Height and width are 0.6 to 1.5 times
    the clip's and no more than the canvas'; then the place is drawn. Of another ``least_height``,
    heights begin there; of 1, a clip keeps all its bins. In bins and frames of the
    clip, not rounded; a left below 0 begins before it. ``[B, 4]``.
    """
    low, high = SCALES
    height_B = bins * (least_height + (high - least_height) * chance_B4[:, 0]).clamp_max(1.0)
    width_B = T * (low + (high - low) * chance_B4[:, 1]).clamp_max(CANVAS)
    top_B = chance_B4[:, 2] * (bins - height_B)
    left_B = chance_B4[:, 3] * (CANVAS * T - width_B) - (CANVAS - 1) / 2 * T
    return torch.stack([top_B, height_B, left_B, width_B], 1)


def resized(mel_BFT: Tensor, box_B4: Tensor) -> Tensor:
    """What lies in each box, stretched or squeezed to the clip's size by bicubic interpolation.

    Beyond the clip lies its mean; in BYOL-A that of the data set.
    """
    B, bins, T = mel_BFT.shape
    top_B1, height_B1, left_B1, width_B1 = box_B4[:, :, None].unbind(1)
    row_F = (torch.arange(bins, device=mel_BFT.device) + 0.5) / bins
    column_T = (torch.arange(T, device=mel_BFT.device) + 0.5) / T
    y_BF = 2 * (top_B1 + height_B1 * row_F) / bins - 1  # -1 and 1 are the clip's edges
    x_BT = 2 * (left_B1 + width_B1 * column_T) / T - 1
    place_BFT2 = torch.stack(
        [x_BT[:, None].expand(B, bins, T), y_BF[:, :, None].expand(B, bins, T)], 3
    )
    mean_B11 = mel_BFT.mean((1, 2), keepdim=True)
    inside_B1FT = F.grid_sample(
        (mel_BFT - mean_B11)[:, None], place_BFT2, "bicubic", "zeros", align_corners=False
    )
    return inside_B1FT[:, 0] + mean_B11


def mean_vectors(encoder: nn.Module, mel_BFT: Tensor, drop_BK: Tensor) -> Tensor:
    """The encoder's mean vector of each view, ``[B, D]``.

    Args:
        drop_BK: what decides which blocks a view skips, for a network that skips some in
            training (``encoder.drops`` numbers), else of no columns.
    """
    skips = (drop_BK,) if drop_BK.shape[1] else ()
    return encoder.of_mel(mel_BFT, *skips).mean(1)


def drops_of(encoder: nn.Module) -> int:
    """How many numbers a view needs for :func:`mean_vectors`."""
    return getattr(encoder, "drops", 0)
