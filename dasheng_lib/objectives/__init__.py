"""Pretext tasks: what an encoder is trained by when nobody has labelled anything.

Every family is one module with the same few names, so that one loop trains it
(:func:`dasheng_lib.train.loop.pretrain`), one folder keeps it and one validation judges it. The
families are rows of a table, :data:`dasheng_lib.objectives.family.FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Generator, Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Output:
    """What one step computes; a family adds what a notebook or a test wants to see.

    Attributes:
        loss: what is minimised, scalar.
        task_loss: the loss of the pretext task alone, without terms that only keep training
            steady; scalar.
        baseline_loss: ``task_loss`` of a model that has learned nothing.
        tally: counts that add up over batches and processes, for ``Objective.health``.
    """

    loss: Tensor
    task_loss: Tensor
    baseline_loss: Tensor
    tally: dict[str, Tensor]


class Objective(nn.Module):
    """An encoder with its pretext task. What has a body here is what most families want.

    Attributes:
        family: its name in the table of families.
        encoder: ``encoder(wave_BN)`` is [B, T, ``encoder.dim``], of 16 kHz audio, a vector every
            ``encoder.hop_ms``. This is what is kept of it all.
        config: what determines the module besides ``encoder.config``; both are frozen dataclasses.
    """

    family: str
    encoder: nn.Module
    config: Any

    @property
    def blocks(self) -> list[nn.Module]:
        """Parts that may be compiled, recomputed or sharded one by one: all of the encoder's."""
        return list(self.encoder.blocks)

    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Set what depends on the audio, before the first step, from a few batches [B, N]."""
        self.encoder.calibrate(waves)

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """All random numbers of one step, ``[B, ...]``: a row a clip, in whichever process it is.

        Args:
            B, N: clips and samples in each.
            generator: on the CPU.
            progress: share of the training that is done before this step, in [0, 1].
        """
        raise NotImplementedError

    def forward(self, wave_BN: Tensor, noise: Tensor) -> Output:
        """One step without its gradient: a function of weights, audio and noise alone.

        Families that learn labels take them behind the audio, int64 [B], see
        :class:`dasheng_lib.objectives.family.Family`.

        Raises:
            ValueError: the clips are too short for anything to be hidden, or too long.
        """
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Called once a step, after the optimizer has changed the weights; often there is nothing
        to do.

        Args:
            progress: share of the training that is done now, this step included, in (0, 1].
        """

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Numbers that a loss does not show, from tallies that were added up; by default none.

        Names mean the same in every family, see :mod:`dasheng_lib.train.health`.
        Where the baseline's loss is no mean over batches, ``explained`` is among them and takes
        the place of what ``task_loss`` and ``baseline_loss`` would give.
        """
        return {}


def clip_vectors(encoder: nn.Module, wave_BN: Tensor) -> Tensor:
    """The encoder's mean vector of each clip with nothing hidden, ``[B, D]``."""
    return encoder(wave_BN).mean(1)


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Let the backward pass compute blocks again instead of keeping what is inside.

    A third more work for a fraction of the memory.
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
