"""Resemblyzer: a recurrent network trained to tell speakers apart (GE2E).

Wan, Wang, Papir and Lopez Moreno, "Generalized end-to-end loss for speaker verification", 2018;
weights Apache-2.0, from the wheel ``resemblyzer`` 0.1.4.

Shapes: B clips, N samples, T frames, F mel bins (40), W windows, D width (256).
"""

from __future__ import annotations

import io
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.wheels.fetch import read_weights
from dasheng_lib.encoders.windows import WindowEncoder, cut, power
from dasheng_lib.features import SAMPLE_RATE

FFT, HOP = 400, 160
MELS = 40
WINDOW, STEP = 160, 77  # frames: 1.6 s, 1.3 times a second
COVERED = 0.75  # of the last window that must be audio
LEVEL = 10 ** (-30 / 20)  # root mean square to which quiet clips are raised
VERSION = 1  # raise it when the same weights would give other numbers


def from_wheel() -> WindowEncoder:
    """Resemblyzer with the published weights, fetched at the first call.

    Raises:
        UserError: see :func:`dasheng_lib.encoders.wheels.fetch.read_weights`.
    """
    (data,) = read_weights("resemblyzer")
    stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    state = stored["model_state"]
    network = SpeakerLstm()
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith("similarity_")})
    return resemblyzer(network)


def resemblyzer(network: SpeakerLstm) -> WindowEncoder:
    """One vector for each window of 1.6 s, 1.3 times a second; a clip's is their mean, length 1.

    As the package's ``embed_utterance`` after its ``normalize_volume``: clips below -30 dBFS are
    raised to that level. Not done is its removal of pauses, which needs a speech detector with
    compiled code and would leave nothing of sounds that are not speech.
    """
    return WindowEncoder(
        name="resemblyzer",
        sample_rate=SAMPLE_RATE,
        dim=256,
        hop_ms=1000 * STEP * HOP / SAMPLE_RATE,
        first_ms=1000 * WINDOW / 2 * HOP / SAMPLE_RATE,
        fingerprint=f"resemblyzer-{VERSION}-{state_digest(network)}",
        network=network.eval(),
        windows=_windows,
        most=256,
        pool=lambda vectors_WD: F.normalize(vectors_WD.mean(0), dim=0),
    )


def _windows(wave_N: Tensor) -> Tensor:
    starts = window_starts(len(wave_N))
    missing = max(0, (starts[-1] + WINDOW) * HOP - len(wave_N))
    return cut(mel(F.pad(raised(wave_N.float()), (0, missing))), WINDOW, starts)


def raised(wave_N: Tensor) -> Tensor:
    """The clip, at a root mean square of at least -30 dB of full scale unless it is silent."""
    level = wave_N.square().mean().sqrt()
    return torch.where((level > 0) & (level < LEVEL), wave_N * (LEVEL / level), wave_N)


def window_starts(samples: int) -> list[int]:
    """First frames of a clip's windows; the last one holds audio to three quarters, or is alone."""
    frames = math.ceil((samples + 1) / HOP)
    starts = list(range(0, max(1, frames - WINDOW + STEP + 1), STEP))
    if len(starts) > 1 and (samples - starts[-1] * HOP) / (WINDOW * HOP) < COVERED:
        del starts[-1]
    return starts


def mel(wave_N: Tensor) -> Tensor:
    """Mel power spectrogram (not in dB) of one clip, float32 ``[T, 40]``; Slaney's mel scale."""
    filters_KF = torchaudio.functional.melscale_fbanks(
        FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    )
    return power(wave_N, FFT, HOP) @ filters_KF


class SpeakerLstm(nn.Module):
    """Windows ``[W, T, 40]`` to vectors ``[W, 256]`` of length 1, without negative numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, window_WTF: Tensor) -> Tensor:
        _, (hidden_LWD, _) = self.lstm(window_WTF)
        return F.normalize(self.linear(hidden_LWD[-1]).relu())
