"""aiSFX: a network of 9 convolutional layers, trained to sort sound effects.

Ma and Lerch, "Representation learning for the automatic indexing of sound effects libraries",
ISMIR 2022; weights CC BY 4.0, from the wheel ``aisfx`` 0.1.2. It was trained on commercial
libraries of sound effects; whether they share recordings with a test set is not known.

Shapes: B clips, N samples, T frames, F mel bins (96), W windows, D width (512).
"""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.wheels.fetch import read_weights
from dasheng_lib.encoders.windows import WindowEncoder, cut, power

RATE = 44_100
FFT, HOP = 2048, 1024
MELS = 96
TOP = 9.457798957824707  # largest value in the authors' training data
WINDOW, STEP = 100, 50  # frames: 2.3 s every 1.2 s
VERSION = 1  # raise it when the same weights would give other numbers


def from_wheel() -> WindowEncoder:
    """aiSFX with the published weights, fetched at the first call.

    Raises:
        UserError: see :func:`dasheng_lib.encoders.wheels.fetch.read_weights`.
    """
    (data,) = read_weights("aisfx")
    # Beside the weights lie class counts, in which numpy has left its scalars.
    scalar = (np._core.multiarray.scalar, "numpy.core.multiarray.scalar")
    with torch.serialization.safe_globals([scalar, np.dtype, type(np.dtype(np.int64))]):
        state, _ = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    prefix = "embedding_net."
    network = Cnn9()
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    return aisfx(network)


def aisfx(network: Cnn9) -> WindowEncoder:
    """One vector for each window of 2.3 s, every 1.2 s; a clip's vector is their mean.

    Clips are scaled to a peak of 1, as the package's librosa path does. A last window that is
    not full is left out, as there; a clip shorter than a window is filled up with zeros.

    It wants 44.1 kHz. What was recorded at 16 kHz holds nothing above 8 kHz, which is 26 of the
    96 mel bins that it was trained on.
    """
    return WindowEncoder(
        name="aisfx",
        sample_rate=RATE,
        dim=512,
        hop_ms=1000 * STEP * HOP / RATE,
        first_ms=1000 * (WINDOW - 1) / 2 * HOP / RATE,
        fingerprint=f"aisfx-{VERSION}-{state_digest(network)}",
        network=network.eval(),
        windows=_windows,
        most=32,
    )


def _windows(wave_N: Tensor) -> Tensor:
    spec_TF = log_mel(wave_N)
    return cut(spec_TF, WINDOW, range(0, max(len(spec_TF) - WINDOW, 0) + 1, STEP))


def log_mel(wave_N: Tensor) -> Tensor:
    """Mel spectrogram of one clip as the network wants it, float32 ``[T, 96]``, about 0 to 1.

    Each of the 96 HTK triangles sums to 1; log10(10000 x + 1), by the largest value in training.
    """
    peak = wave_N.abs().max()
    wave_N = wave_N.float() / torch.where(peak > 0, peak, 1.0)
    filters_KF = torchaudio.functional.melscale_fbanks(
        FFT // 2 + 1, 0.0, RATE / 2, MELS, RATE, norm=None, mel_scale="htk"
    )
    mel_TF = power(wave_N, FFT, HOP) @ (filters_KF / filters_KF.sum(0))
    return (10_000 * mel_TF + 1).log10() / TOP


class Cnn9(nn.Module):
    """Windows ``[W, T, F]`` to vectors ``[W, 512]``: four pairs of convolutions, each pair with a
    maximum over 2 x 2 behind it (none behind the last); mean over bins, maximum over time.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        for k, (before, width) in enumerate(zip((1, *widths), widths, strict=False), 1):
            setattr(self, f"conv_block{k}", Pair(before, width))

    def forward(self, window_WTF: Tensor) -> Tensor:
        x = window_WTF[:, None]
        for block in (self.conv_block1, self.conv_block2, self.conv_block3):
            x = F.max_pool2d(block(x), 2)
        return self.conv_block4(x).mean(3).amax(2)


class Pair(nn.Module):
    """Two convolutions of 3 x 3, each with batch normalisation and ReLU."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
