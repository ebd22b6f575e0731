"""A pretraining run that is stopped by force and started again, beside one that never was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.train.batches import crops_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.run import Execution, pretrain_into
from dasheng_lib.train.schedule import TrainConfig


class PowerCut(Exception):
    pass


class Unreliable(Crops):
    """Crops that are read until step 8, when the power fails."""

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray:
        if step == 8:
            raise PowerCut
        return super().batch(step, rows)


def stop_and_resume(corpus: Corpus, seed: int = 0) -> tuple[list[str], bool]:
    """Train for 12 steps twice, once without a break and once with the power cut at step 8.

    Returns:
        The files that the cut run left behind, and whether, resumed, it ended with the same bits.
    """
    config = RunConfig(batch=8, clip_seconds=0.5, train=TrainConfig(steps=12, seed=seed))
    how = {"execution": Execution(checkpoint_every=3, progress=False)}
    crops = crops_of(corpus, config)
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "cut"
        whole = pretrain_into(Path(folder) / "whole", crops, None, config, **how)
        try:
            pretrain_into(cut, crops_of(corpus, config, Unreliable), None, config, **how)
        except PowerCut:
            left = sorted(file.name for file in cut.glob("*.*"))
        resumed = pretrain_into(cut, crops, None, config, **how)
        ours, theirs = resumed.autoencoder().state_dict(), whole.autoencoder().state_dict()
    return left, all(torch.equal(value, theirs[name]) for name, value in ours.items())
