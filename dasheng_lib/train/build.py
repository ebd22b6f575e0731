"""The model of a run: what its configuration says it is, made ready to be trained."""

from __future__ import annotations

from threading import Lock

import torch

from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.config import RunConfig

TAUGHT_SEED = 1_000_003  # a second iteration does not begin as its teacher began; seeds are small
_drawing = Lock()  # torch's own generator, which initial weights come from, is all threads'


def new_model(config: RunConfig) -> Objective:
    """The untrained model of a configuration: the same for the same seed.

    A teacher is there with weights of its own, which ``learn_from`` replaces.
    """
    family = FAMILIES[config.family]
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed + (TAUGHT_SEED if config.teacher else 0))
        encoder = family.encoder(family.size(config.preset))
        return family.objective(encoder, config.task)
