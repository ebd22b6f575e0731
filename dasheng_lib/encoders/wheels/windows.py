"""What encoders of fixed windows share: clips apart, their windows through a network together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def clips_of(wave_BN: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """Each clip without its padding, ``[samples]``."""
    if lengths is None:
        return list(wave_BN)
    return [wave[:n] for wave, n in zip(wave_BN, lengths.tolist(), strict=True)]


def cut(spec_TF: Tensor, size: int, starts: Sequence[int]) -> Tensor:
    """Windows ``[W, size, F]`` of a spectrogram, filled up with zeros behind its end."""
    spec_TF = F.pad(spec_TF, (0, 0, 0, max(0, starts[-1] + size - len(spec_TF))))
    return torch.stack([spec_TF[start : start + size] for start in starts])


def through(
    network: Callable[[Tensor], Tensor], windows: Sequence[Tensor], most: int
) -> list[Tensor]:
    """Vectors ``[W, D]`` of each clip's windows ``[W, …]``, at most ``most`` windows at a time."""
    vectors_ND = torch.cat([network(part) for part in torch.cat(list(windows)).split(most)])
    return list(vectors_ND.split([len(part) for part in windows]))
