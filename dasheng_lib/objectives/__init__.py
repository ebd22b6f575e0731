"""Pretext tasks: what an encoder is trained by when nobody has labelled anything.

Every family is one module with the same few names, so that one loop trains it
(:func:`dasheng_lib.train.loop.pretrain`), one folder keeps it and one examination judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

Family = Literal["dasheng", "ssast", "hubert", "wav2vec2"]
FAMILIES: tuple[Family, ...] = ("dasheng", "ssast", "hubert", "wav2vec2")
WAVEFORM_FAMILIES = ("hubert", "wav2vec2")  # whose encoder reads waveforms and hides spans


class Output(Protocol):
    """What one step computes.

    Attributes:
        loss: what is minimised, scalar.
        pretext: the part of the loss that the pretext task is, without what only keeps training
            steady; scalar.
        nothing: ``pretext`` for a model that knows nothing.
        tally: counts that add up over batches and processes, for ``Objective.health``.
    """

    loss: Tensor
    pretext: Tensor
    nothing: Tensor
    tally: dict[str, Tensor]


class Objective(Protocol):
    """An encoder with its pretext task.

    Attributes:
        family: one of ``FAMILIES``.
        encoder: ``encoder(wave_BN)`` is [B, T, ``encoder.dim``], of 16 kHz audio, a vector every
            ``encoder.hop_ms``. This is what is kept of it all.
        config: what determines the module besides ``encoder.config``; both are frozen dataclasses.
        blocks: parts that may be compiled, recomputed or sharded one by one.
    """

    family: str
    encoder: nn.Module
    config: Any
    blocks: list[nn.Module]

    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Set from a few batches [B, N] what must be known of the audio before the first step."""
        ...

    def draw(self, B: int, N: int, generator: torch.Generator, progress: float) -> Tensor:
        """All the chance of one step, ``[B, ...]``: a row a clip, wherever that is computed.

        Args:
            B, N: clips and samples in each.
            generator: on the CPU.
            progress: share of the training that lies behind this step, in [0, 1].
        """
        ...

    def __call__(self, wave_BN: Tensor, noise: Tensor) -> Output:
        """One step without its gradient: a function of weights, audio and noise alone.

        Raises:
            ValueError: the clips are too short for anything to be hidden, or too long.
        """
        ...

    def summaries(self, wave_BN: Tensor) -> Tensor:
        """The encoder's mean vector of each clip with nothing hidden, ``[B, D]``."""
        ...

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Numbers that a loss does not show, from tallies that were added up.

        Names mean the same in every family, see :mod:`dasheng_lib.train.health`.
        ``explained`` is among them where the loss of knowing nothing is no mean over batches; it
        then stands for what ``pretext`` and ``nothing`` give.
        """
        ...

    def recompute(self, recompute: bool) -> None:
        """Whether the backward pass computes blocks again, to save memory."""
        ...


def build_encoder(family: Family, settings: Mapping[str, Any]) -> nn.Module:
    """A family's encoder from the fields of its configuration, with weights drawn anew.

    Raises:
        TypeError, ValueError: the fields are not those of this family's encoder.
    """
    if family in WAVEFORM_FAMILIES:
        from dasheng_lib.model.waveform import WaveformConfig, WaveformEncoder

        return WaveformEncoder(WaveformConfig(**settings))
    from dasheng_lib.model.encoder import Encoder, EncoderConfig

    return Encoder(EncoderConfig(**settings))


def build_objective(family: Family, encoder: nn.Module, settings: Mapping[str, Any]) -> Objective:
    """A family's task around its encoder, from the fields of the task's configuration.

    Imports what it needs and no more: the library behind HuBERT and Wav2Vec2 takes seconds.

    Raises:
        TypeError, ValueError: the fields are not those of this family's task.
    """
    if family == "ssast":
        from dasheng_lib.objectives.ssast import SSAST, SSASTConfig

        return SSAST(encoder, SSASTConfig(**settings))
    if family == "hubert":
        from dasheng_lib.objectives.hubert import Hubert, HubertConfig

        return Hubert(encoder, HubertConfig(**settings))
    if family == "wav2vec2":
        from dasheng_lib.objectives.wav2vec2 import Wav2Vec2, Wav2Vec2Config

        return Wav2Vec2(encoder, Wav2Vec2Config(**settings))
    from dasheng_lib.objectives.mae import MAEConfig, MaskedAutoencoder

    return MaskedAutoencoder(encoder, MAEConfig(**settings))
