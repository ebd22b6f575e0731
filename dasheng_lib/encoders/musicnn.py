"""musicnn: a network whose first filters are shaped after music, trained on its tags.

Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019;
here the weights of Won, Ferraro, Bogdanov and Serra, "Evaluation of CNN-based automatic music
tagging models", SMC 2020: the 50 most frequent tags of MagnaTagATune, or of MTG-Jamendo. Who
evaluates on MagnaTagATune has the first one's training data in front of them.

Shapes: W windows of 3 s, N samples, F mel bins (96), T frames of 16 ms, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.released import read_state
from dasheng_lib.encoders.windows import WindowEncoder
from dasheng_lib.features import SAMPLE_RATE

NAMES = ("mtat", "jamendo")
MELS, FFT = 96, 512
WINDOW, STEP = 3 * SAMPLE_RATE, 3 * SAMPLE_RATE // 2  # samples: 3 s every 1.5 s
DIM = 200
VERSION = 1  # raise it when the same weights would give other numbers


def load_musicnn(name: str) -> WindowEncoder:
    """``"mtat"`` or ``"jamendo"``; the weights are fetched at the first call.

    Raises:
        UserError: no such network; or see :func:`dasheng_lib.encoders.released.read_state`.
    """
    if name not in NAMES:
        raise UserError(f"There is no musicnn {name!r}: choose {' or '.join(NAMES)}.")
    network = Musicnn()
    network.load_state_dict(read_state(f"musicnn:{name}"))
    return musicnn(network, f"musicnn:{name}")


def musicnn(network: Musicnn, name: str) -> WindowEncoder:
    """One vector for each window of 3 s, every 1.5 s; a clip's vector is their mean.

    The vector is the layer that the tags are read from by one linear map: what the network knows
    of a window, at a width like that of the other encoders. A last window that is not full is left
    out. A clip shorter than a window is repeated until it fills one: zeros would be a sound of
    their own, -100 dB in all bins, in its means over time.
    """
    return WindowEncoder(
        name=name,
        sample_rate=SAMPLE_RATE,
        dim=DIM,
        hop_ms=1000 * STEP / SAMPLE_RATE,
        first_ms=1000 * WINDOW / 2 / SAMPLE_RATE,
        fingerprint=f"musicnn-{VERSION}-{state_digest(network)}",
        network=network.eval(),
        windows=windows,
        most=16,
    )


def windows(wave_N: Tensor) -> Tensor:
    """The windows ``[W, 48000]`` of a clip."""
    if len(wave_N) < WINDOW:
        wave_N = wave_N.repeat(-(-WINDOW // len(wave_N)))[:WINDOW]
    return wave_N.float().unfold(0, WINDOW, STEP)


class Musicnn(nn.Module):
    """Waveforms ``[W, N]`` to vectors ``[W, 200]``, without negative numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = torchaudio.transforms.MelSpectrogram(SAMPLE_RATE, FFT, n_mels=MELS)
        self.to_db = torchaudio.transforms.AmplitudeToDB()
        self.spec_bn = nn.BatchNorm2d(1)
        timbral = [nn.Conv2d(1, 204, (height, 7), padding=(0, 3)) for height in (67, 38)]
        temporal = [nn.Conv1d(1, 51, length, padding=length // 2) for length in (129, 65, 33)]
        self.layers = nn.ModuleList(map(ConvNorm, [*timbral, *temporal]))
        self.layer1 = ConvNorm(nn.Conv1d(561, 64, 7, padding=3))
        self.layer2 = ConvNorm(nn.Conv1d(64, 64, 7, padding=3))
        self.layer3 = ConvNorm(nn.Conv1d(64, 64, 7, padding=3))
        self.dense1 = nn.Linear(2 * (561 + 3 * 64), DIM)
        self.bn = nn.BatchNorm1d(DIM)
        self.dense2 = nn.Linear(DIM, 50)  # the tags; it has its place, and is not asked

    def forward(self, wave_WN: Tensor) -> Tensor:
        x_W1FT = self.spec_bn(self.to_db(self.spec(wave_WN))[:, None])
        timbral = [layer(x_W1FT).amax(2) for layer in self.layers[:2]]
        temporal = [layer(x_W1FT.mean(2)) for layer in self.layers[2:]]
        front_WCT = torch.cat([*timbral, *temporal], 1)
        first = self.layer1(front_WCT)
        second = self.layer2(first) + first
        third = self.layer3(second) + second
        all_WCT = torch.cat([front_WCT, first, second, third], 1)
        return self.bn(self.dense1(torch.cat([all_WCT.amax(2), all_WCT.mean(2)], 1))).relu()


class ConvNorm(nn.Module):
    """A convolution over one or two dimensions, batch normalisation, ReLU."""

    def __init__(self, conv: nn.Conv1d | nn.Conv2d) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if isinstance(conv, nn.Conv2d) else nn.BatchNorm1d
        self.conv, self.bn = conv, norm(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()
