"""An encoder of fixed windows: what several pretrained ones of others share.

Shapes: B clips, N samples, T frames, F mel bins, K frequencies, W windows, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mean(vectors_WD: Tensor) -> Tensor:
    """The mean over a clip's windows, ``[D]``."""
    return vectors_WD.mean(0)


@dataclass(frozen=True, eq=False)
class WindowEncoder:
    """An :class:`dasheng_lib.encoders.AudioEncoder`: its frames are vectors of windows. On the CPU.

    Attributes:
        name, sample_rate, dim, hop_ms, first_ms, fingerprint: as in ``AudioEncoder``.
        network: windows ``[W, …]`` to vectors ``[W, D]``.
        windows: a clip ``[N]`` without padding to its windows ``[W, …]``, at least one.
        most: windows that go through the network together, of whichever clips.
        pool: vectors of a clip's windows ``[W, D]`` to the clip's vector ``[dim]``.
    """

    name: str
    sample_rate: int
    dim: int
    hop_ms: float
    first_ms: float
    fingerprint: str
    network: Callable[[Tensor], Tensor]
    windows: Callable[[Tensor], Tensor]
    most: int
    pool: Callable[[Tensor], Tensor] = mean
    min_samples: int = 1

    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Vectors of windows, ``[B, W, D]``."""
        return nn.utils.rnn.pad_sequence(self._vectors(wave_BN, lengths), batch_first=True)

    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """One vector a clip, ``[B, dim]``."""
        return torch.stack([self.pool(clip_WD) for clip_WD in self._vectors(wave_BN, lengths)])

    @torch.inference_mode()
    def _vectors(self, wave_BN: Tensor, lengths: Tensor | None) -> list[Tensor]:
        counts = [wave_BN.shape[1]] * len(wave_BN) if lengths is None else lengths.tolist()
        windows = [self.windows(w[:n]) for w, n in zip(wave_BN.cpu(), counts, strict=True)]
        parts = torch.cat(windows).split(self.most)
        return list(torch.cat([self.network(part) for part in parts]).split([*map(len, windows)]))


def power(wave_N: Tensor, fft: int, hop: int) -> Tensor:
    """Power spectrum ``[T, fft // 2 + 1]`` under a periodic Hann window, zeros beyond both ends."""
    window = torch.hann_window(fft)
    spectrum_KT = torch.stft(
        wave_N, fft, hop, window=window, pad_mode="constant", return_complex=True
    )
    return spectrum_KT.abs().square().T


def cut(spec_TF: Tensor, size: int, starts: Sequence[int]) -> Tensor:
    """Windows ``[W, size, F]`` of a spectrogram, filled up with zeros behind its end."""
    spec_TF = F.pad(spec_TF, (0, 0, 0, max(0, starts[-1] + size - len(spec_TF))))
    return torch.stack([spec_TF[start : start + size] for start in starts])
