"""The models of a run: what its configuration says they are, made ready to be trained."""

from __future__ import annotations

from dataclasses import asdict
from threading import Lock

import torch

from dasheng_lib.model.encoder import encoder_config
from dasheng_lib.model.waveform import waveform_config
from dasheng_lib.objectives import WAVEFORM_FAMILIES, Objective, build_encoder, build_objective
from dasheng_lib.train.config import RunConfig

STAGE_SEED = 1_000_003  # seeds of runs are small numbers
_drawing = Lock()  # torch's own generator, which initial weights come from, is all threads'


def new_model(config: RunConfig, stage: int = 0) -> Objective:
    """The untrained model of a configuration: the same for the same seed.

    Args:
        stage: which of ``config.stages`` it is for; each begins with other weights.
    """
    waveform = config.family in WAVEFORM_FAMILIES
    size = (waveform_config if waveform else encoder_config)(config.preset)
    if config.family == "dasheng":
        task = asdict(config.mae)
    else:
        task = {"mask_ratio": config.mask_ratio, "span" if waveform else "group": config.group}
    if config.family == "hubert":
        task["iteration"] = stage + 1
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed + stage * STAGE_SEED)
        return build_objective(config.family, build_encoder(config.family, asdict(size)), task)
