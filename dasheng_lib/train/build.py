"""The model of a run: what its configuration says it is, made ready to be trained."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import torch

from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.config import RunConfig

STAGE_SEED = 1_000_003  # seeds of runs are small numbers
_drawing = Lock()  # torch's own generator, which initial weights come from, is all threads'


def new_model(config: RunConfig, stage: int = 0) -> Objective:
    """The untrained model of a configuration: the same for the same seed.

    Args:
        stage: which of ``config.stages`` it is for; each begins with other weights.
    """
    family = FAMILIES[config.family]
    task = replace(config.task, iteration=stage + 1) if stage else config.task
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed + stage * STAGE_SEED)
        encoder = family.network.module(family.network.size(config.preset))
        return family.objective(encoder, task)
