"""MFCC at the frames of the waveform network: what HuBERT learns from first.

Shapes: B clips, N samples, T frames (20 ms).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.model.waveform import FIELD, HOP, standardised

CEPSTRA = 13


class MFCC(nn.Module):
    """``MFCC()(wave_BN)`` is ``[B, T, 39]``: 13 cepstra, their slopes, and the slopes of those.

    Windows of 25 ms every 10 ms, 40 HTK bands, natural logarithm; every second frame is kept, which
    is the field of one frame of :class:`dasheng_lib.model.waveform.WaveformEncoder`. As that
    one sees every clip at variance 1, so do these: no target may depend on a level that the network
    cannot know.

    Source: HuBERT, section IV.B (39 dimensions, every 10 ms). The authors' are Kaldi's, which have
    other numbers for the same sound: 23 bands from 20 Hz, a Povey window, each window without its
    mean and pre-emphasised by 0.97, cepstra liftered by 22. Here the window is Hann's, bands begin
    at 0 Hz, and nothing is emphasised or liftered. Nor do they standardise the waveform first.
    """

    dim = 3 * CEPSTRA

    def __init__(self) -> None:
        super().__init__()
        with torch.device("cpu"):  # torchaudio looks at the values, which "meta" has not
            self.cepstra = torchaudio.transforms.MFCC(
                SAMPLE_RATE,
                CEPSTRA,
                log_mels=True,  # its decibels are cut 80 below the loudest of the whole batch
                melkwargs={"n_fft": FIELD, "hop_length": HOP // 2, "n_mels": 40, "center": False},
            )

    @torch.no_grad()
    def forward(self, wave_BN: Tensor) -> Tensor:
        with torch.autocast(wave_BN.device.type, enabled=False):
            value_BCT = self.cepstra(standardised(wave_BN))
            slope_BCT = torchaudio.functional.compute_deltas(value_BCT)
            bend_BCT = torchaudio.functional.compute_deltas(slope_BCT)
            return torch.cat([value_BCT, slope_BCT, bend_BCT], 1).transpose(1, 2)[:, ::2]
