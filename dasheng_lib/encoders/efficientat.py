"""EfficientAT mn04: a small MobileNetV3 that learnt AudioSet's tags from a large transformer.

Schmid, Koutini and Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
distillation", ICASSP 2023; Howard et al., "Searching for MobileNetV3", ICCV 2019. 0.98 million
parameters (0.99 with the statistics of its norms), mean average precision on AudioSet 0.432.
AudioSet and other sets of public sound, such as ESC-50, may share recordings.

Shapes: B clips, N samples, F mel bins, C channels, T tokens of 320 ms, D width (384).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.released import read_state

NAMES = ("mn04",)
RATE = 32_000
FFT, WINDOW, HOP = 1024, 800, 320
MELS, TOP_HZ = 128, 15_000.0
TOKEN = 32 * HOP  # samples: five strides of 2
PIECE = 31 * TOKEN  # 9.92 s: whole tokens, and about the 10 s that it was trained on
WIDTH, DIM = 8, 384  # channels behind the first and the last convolution
VERSION = 1  # raise it when the same weights would give other numbers

# MobileNetV3-Large at width 0.4, in multiples of 8: kernel, stride, channels inside, channels out,
# channels of squeeze-and-excitation (0: it has none), activation.
BLOCKS = (
    (3, 1, 8, 8, 0, nn.ReLU),
    (3, 2, 24, 16, 0, nn.ReLU),
    (3, 1, 32, 16, 0, nn.ReLU),
    (5, 2, 32, 16, 8, nn.ReLU),
    (5, 1, 48, 16, 16, nn.ReLU),
    (5, 1, 48, 16, 16, nn.ReLU),
    (3, 2, 96, 32, 0, nn.Hardswish),
    (3, 1, 80, 32, 0, nn.Hardswish),
    (3, 1, 72, 32, 0, nn.Hardswish),
    (3, 1, 72, 32, 0, nn.Hardswish),
    (3, 1, 192, 48, 48, nn.Hardswish),
    (3, 1, 272, 48, 72, nn.Hardswish),
    (5, 2, 272, 64, 72, nn.Hardswish),
    (5, 1, 384, 64, 96, nn.Hardswish),
    (5, 1, 384, 64, 96, nn.Hardswish),
)


def load_efficientat(name: str) -> EfficientAt:
    """``"mn04"``; its weights are fetched at the first call.

    Raises:
        UserError: no such network; or see :func:`dasheng_lib.encoders.released.read_state`.
    """
    if name not in NAMES:
        raise UserError(f"There is no efficientat {name!r}: choose {' or '.join(NAMES)}.")
    network = Mn04()
    network.load_state_dict(renamed(read_state(f"efficientat:{name}")))
    return EfficientAt(network.eval(), f"efficientat-{VERSION}-{state_digest(network)}")


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The release's tensors under our names: its squeezes stand in lists of one."""
    return {name.replace("conc_se_layers.0.", ""): value for name, value in state.items()}


@dataclass(frozen=True, eq=False)
class EfficientAt:
    """An :class:`dasheng_lib.encoders.AudioEncoder`: the network's last map, over time. On the CPU.

    Clips of up to 14.9 s go whole, as the network pools over any time. Longer ones go in pieces of
    9.92 s, of which the last takes the rest, and a clip's vector is the mean over all its tokens.
    Clips shorter than a token, 0.32 s, are filled up with zeros.

    It wants 32 kHz: what was recorded at 16 kHz leaves the upper 23 of its 128 mel bins empty.
    """

    network: Mn04
    fingerprint: str
    name: str = "efficientat:mn04"
    sample_rate: int = RATE
    dim: int = DIM
    hop_ms: float = 1000 * TOKEN / RATE
    first_ms: float = 0.0  # each stride keeps the first column, which is centred on the beginning
    min_samples: int = 1

    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean over mel bins of the last map, ``[B, T, D]``."""
        return nn.utils.rnn.pad_sequence(self._tokens(wave_BN, lengths), batch_first=True)

    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The mean over a clip's tokens, ``[B, D]``."""
        return torch.stack([tokens_TD.mean(0) for tokens_TD in self._tokens(wave_BN, lengths)])

    @torch.inference_mode()
    def _tokens(self, wave_BN: Tensor, lengths: Tensor | None) -> list[Tensor]:
        counts = [wave_BN.shape[1]] * len(wave_BN) if lengths is None else lengths.tolist()
        cut = [pieces(wave[:n]) for wave, n in zip(wave_BN.cpu(), counts, strict=True)]
        return [torch.cat([self.network(log_mel(p)[None])[0] for p in clip]) for clip in cut]


def pieces(wave_N: Tensor) -> list[Tensor]:
    """Parts of a clip that the network hears by themselves: 9.92 s, the last one up to 14.9 s."""
    wave_N = F.pad(wave_N.float(), (0, max(0, TOKEN - len(wave_N))))
    count = max(1, round(len(wave_N) / PIECE))
    return [wave_N[a:b] for a, b in pairwise([*range(0, count * PIECE, PIECE), len(wave_N)])]


def log_mel(wave_N: Tensor) -> Tensor:
    """Mel spectrogram of one clip as the network wants it, float32 ``[128, frames]``, about ±1.

    A difference (pre-emphasis of 0.97), power under a symmetric Hann window, Kaldi's triangles
    from 0 to 15 kHz, logarithm.
    """
    wave_N = wave_N[1:] - 0.97 * wave_N[:-1]
    window = torch.hann_window(WINDOW, periodic=False)
    spectrum_KT = torch.stft(wave_N, FFT, HOP, WINDOW, window, return_complex=True)
    # The numbers behind the frequencies are those of a warp that is off.
    filters_FK, _ = torchaudio.compliance.kaldi.get_mel_banks(
        MELS, FFT, float(RATE), 0.0, TOP_HZ, 100.0, -500.0, 1.0
    )
    mel_FT = F.pad(filters_FK, (0, 1)) @ spectrum_KT.abs().square()  # it leaves out half the rate
    return ((mel_FT + 1e-5).log() + 4.5) / 5


class Mn04(nn.Module):
    """Log-mel ``[B, F, frames]`` to tokens ``[B, T, D]``.

    The classifier is there for every tensor of the release to have its place: from a clip's vector
    it gives the 527 logits of AudioSet's tags.
    """

    def __init__(self) -> None:
        super().__init__()
        layers, width = [conv_norm(1, WIDTH, 3, nn.Hardswish, stride=2)], WIDTH
        for kernel, stride, inside, out, squeezed, activation in BLOCKS:
            layers.append(Inverted(width, kernel, stride, inside, out, squeezed, activation))
            width = out
        self.features = nn.Sequential(*layers, conv_norm(width, DIM, 1, nn.Hardswish))
        # The release counts from 2 and from 5: pooling is before it, dropout in it.
        self.classifier = nn.Sequential(
            nn.Identity(),
            nn.Identity(),
            nn.Linear(DIM, 512),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(512, 527),
        )

    def forward(self, mel_BFT: Tensor) -> Tensor:
        return self.features(mel_BFT[:, None]).mean(2).transpose(1, 2)


class Inverted(nn.Module):
    """An inverted residual: wider, a convolution in each channel, channels weighed, narrower."""

    def __init__(
        self,
        before: int,
        kernel: int,
        stride: int,
        inside: int,
        out: int,
        squeezed: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        wider = [conv_norm(before, inside, 1, activation)] if inside != before else []
        each = conv_norm(inside, inside, kernel, activation, stride=stride, groups=inside)
        squeeze = [SqueezeExcite(inside, squeezed)] if squeezed else []
        self.block = nn.Sequential(*wider, each, *squeeze, conv_norm(inside, out, 1))
        self.residual = stride == 1 and before == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class SqueezeExcite(nn.Module):
    """Each channel of ``[B, C, F, T]`` by a weight that the means of all channels decide."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, squeezed)
        self.fc2 = nn.Linear(squeezed, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]


def conv_norm(
    before: int,
    after: int,
    kernel: int,
    activation: type[nn.Module] = nn.Identity,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """A convolution without bias, batch normalisation, an activation."""
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after, eps=1e-3), activation())
