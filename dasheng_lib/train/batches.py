"""The audio of a run: what it trains on, what it is validated on, what sets its statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops, Exam
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.train.config import RunConfig

CALIBRATION_BATCHES = 8
VALIDATION_CROPS = 512


class Batches(Protocol):
    """Audio to train on: a batch is a function of its step alone, so nothing need be restored."""

    name: str
    digest: str

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray | Tensor:
        """Float32 [rows, N]: these rows of the step's batch; a tensor where it lies on a card."""
        ...


def batches_of(corpus: Corpus, config: RunConfig) -> tuple[Crops, Exam | None]:
    """What to train on and what to validate on: the crops of a corpus, and of what is held out.

    Raises:
        UserError: every domain is a single group, so that nothing can be held out.
    """
    if not config.hold_out:
        return crops_of(corpus, config), None
    rest, held = hold_out(corpus, config.hold_out)
    if not len(held):
        raise UserError(
            f"Every domain of {corpus.name} is a single group, and whole groups are held out: "
            "train with a hold_out of 0, or on more groups."
        )
    exam = Exam(held, config.clip_seconds, config.batch, VALIDATION_CROPS, config.short)
    return crops_of(rest, config), exam


def crops_of(corpus: Corpus, config: RunConfig, make: Callable[..., Crops] = Crops) -> Crops:
    """The crops of a corpus that a configuration asks for, of one or the other kind."""
    return make(
        corpus,
        config.clip_seconds,
        config.batch,
        config.train.seed,
        config.short,
        config.even,
        config.speed,
        config.mix,
    )


def validation_batches(data: Batches | None, config: RunConfig, rows: slice) -> list[np.ndarray]:
    """This process's rows of the crops that every validation uses."""
    if data is None:
        return []
    batches = len(data) if isinstance(data, Exam) else -(-VALIDATION_CROPS // config.batch)
    return [data.batch(step, rows) for step in range(batches)]


def first_batches(data: Batches, device: torch.device, rows: slice) -> Iterator[Tensor]:
    """This process's rows of the batches that a model is calibrated on."""
    for step in range(CALIBRATION_BATCHES):
        yield torch.as_tensor(data.batch(step, rows)).to(device)
