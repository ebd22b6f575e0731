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
from dasheng_lib.corpora.split import hold_out, labelled, of_domain
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.tasks.pocket import suite
from dasheng_lib.train.config import RunConfig

Batch = np.ndarray | Tensor | tuple[np.ndarray | Tensor, np.ndarray]  # audio, and labels if learned
CALIBRATION_BATCHES = 8
VALIDATION_CROPS = 512


class Batches(Protocol):
    """Audio to train on: a batch is a function of its step alone, so nothing need be restored.

    What has labels to learn also has ``labels(step, rows)``, the class of each of those rows.
    """

    name: str
    digest: str

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray | Tensor:
        """Float32 [rows, N]: these rows of the step's batch; a tensor where it lies on a card."""
        ...


def batches_of(
    corpus: Corpus, config: RunConfig, make: Callable[..., Crops] = Crops
) -> tuple[Crops, Exam | None]:
    """What to train on and what to validate on: the crops of a corpus, and of what is held out.

    Raises:
        UserError: every domain is a single group, so that nothing can be held out; or there is no
            domain such as the configuration names.
    """
    corpus = learned_from(corpus, config)
    if not config.hold_out:
        return crops_of(of_domain(corpus, config.only_domain), config, make), None
    rest, held = hold_out(corpus, config.hold_out)
    if not len(held):
        raise UserError(
            f"Every domain of {corpus.name} is a single group, and whole groups are held out: "
            "train with a hold_out of 0, or on more groups."
        )
    exam = Exam(held, config.clip_seconds, config.batch, VALIDATION_CROPS, config.short)
    return crops_of(of_domain(rest, config.only_domain), config, make), exam


def learned_from(corpus: Corpus, config: RunConfig) -> Corpus:
    """The clips that a run can learn from: all, or those with the labels that it learns.

    Parts of a corpus have no tasks, so this comes before anything is held out.

    Raises:
        UserError: there is no such task, or they have more classes than the configuration.
    """
    if not FAMILIES[config.family].labelled:
        return corpus
    tasks = config.task.labels or [task.name for task in suite(corpus.name, headline=True)]
    corpus = labelled(corpus, tasks)
    classes = int(corpus.clips["label"].max()) + 1
    if classes > config.task.classes:
        raise UserError(
            f"{', '.join(tasks)} have {classes} classes, which {config.task.classes} answers "
            f"cannot tell apart: set --classes {classes}."
        )
    return corpus


def reader(data: Batches, config: RunConfig, rows: slice) -> Callable[[int], Batch]:
    """What a step learns from, by its number: these rows of the audio, with labels if need be.

    Raises:
        UserError: labels are learned, and the audio has none.
    """
    if not FAMILIES[config.family].labelled:
        return lambda step: data.batch(step, rows)
    if not hasattr(data, "labels"):
        raise UserError(
            f"{config.family} learns labels, which {data.name} has not: name a --corpus with tasks."
        )
    return lambda step: (data.batch(step, rows), data.labels(step, rows))


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


def validation_batches(data: Batches | None, config: RunConfig, rows: slice) -> list[Batch]:
    """This process's rows of the crops that every validation uses."""
    if data is None:
        return []
    batches = len(data) if isinstance(data, Exam) else -(-VALIDATION_CROPS // config.batch)
    read = reader(data, config, rows)
    return [read(step) for step in range(batches)]


def first_batches(data: Batches, device: torch.device, rows: slice) -> Iterator[Tensor]:
    """This process's rows of the batches that a model is calibrated on."""
    for step in range(CALIBRATION_BATCHES):
        yield torch.as_tensor(data.batch(step, rows)).to(device)
