"""Log-mel statistics: the baseline that needs no training."""

from __future__ import annotations

import torch
from torch import Tensor

from dasheng_lib.features import (
    HOP,
    MELS,
    MIN_SAMPLES,
    PART_FRAMES,
    SAMPLE_RATE,
    LogMel,
    frame_count,
    gathered,
    is_long,
)


class LogMelStatistics:
    """Mean and standard deviation over time of each log-mel bin in dB: 128 numbers a clip."""

    name = "log-mel statistics"
    sample_rate = SAMPLE_RATE
    dim = 2 * MELS
    hop_ms = 10.0
    first_ms = 0.0  # the window of the first frame is centred on the first sample
    min_samples = MIN_SAMPLES
    fingerprint = "logmel-mean-std-1"

    def __init__(self) -> None:
        self._log_mel = LogMel("clip")

    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Log-mel in dB, ``[B, T, 64]``."""
        if is_long(wave_BN, lengths):
            parts = self._log_mel.in_parts(wave_BN, PART_FRAMES)
            return gathered((part.transpose(1, 2) for part in parts), frame_count(wave_BN.shape[1]))
        return self._log_mel(wave_BN, lengths).transpose(1, 2)

    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """``[B, 128]``: 64 means, then 64 deviations."""
        if is_long(wave_BN, lengths):
            return self._in_parts(wave_BN)
        frames_BTF = self.frames(wave_BN, lengths)
        T = frames_BTF.shape[1]
        count_B = torch.full((len(wave_BN),), T) if lengths is None else lengths // HOP + 1
        valid_BT1 = (torch.arange(T) < count_B[:, None])[..., None]
        count_B1 = count_B[:, None].float()
        mean_BF = (frames_BTF * valid_BT1).sum(1) / count_B1
        spread_BTF = (frames_BTF - mean_BF[:, None]) * valid_BT1
        return torch.cat([mean_BF, (spread_BTF.square().sum(1) / count_B1).sqrt()], 1)

    def _in_parts(self, wave_1N: Tensor) -> Tensor:
        count, total_1F, squares_1F = 0, 0.0, 0.0
        for part_1FT in self._log_mel.in_parts(wave_1N, PART_FRAMES):
            count += part_1FT.shape[2]
            total_1F = total_1F + part_1FT.double().sum(2)
            squares_1F = squares_1F + part_1FT.double().square().sum(2)
        mean_1F = total_1F / count
        spread_1F = (squares_1F / count - mean_1F.square()).clamp_min(0).sqrt()
        return torch.cat([mean_1F, spread_1F], 1).float()
