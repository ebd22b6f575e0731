"""What every encoder offers, whatever is inside."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class AudioEncoder(Protocol):
    """Frozen features of waveforms.

    Attributes:
        name: for tables.
        sample_rate: Hz that ``frames`` and ``clips`` expect.
        dim: width of a clip's vector.
        hop_ms: time between frames. An encoder whose first frame is not centred on ``hop_ms / 2``
            has an attribute ``first_ms`` too, see :func:`first_ms`.
        min_samples: shortest clip that works; pad with zeros below it.
        fingerprint: changes when anything that determines the features changes.
    """

    name: str
    sample_rate: int
    dim: int
    hop_ms: float
    min_samples: int
    fingerprint: str

    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features over time, ``[B, T, frame width]``; frames behind a clip's end are 0."""
        ...

    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """One vector for each clip, ``[B, dim]``, independent of its neighbours."""
        ...


def first_ms(encoder: AudioEncoder) -> float:
    """Where the middle of the first frame is, in ms from the clip's start."""
    return float(getattr(encoder, "first_ms", encoder.hop_ms / 2))
