"""Pretraining."""

from dasheng_lib.train.loop import (
    TrainConfig,
    learning_rate,
    make_optimizer,
    mask_noise,
    pretrain,
)

__all__ = [
    "TrainConfig",
    "learning_rate",
    "make_optimizer",
    "mask_noise",
    "pretrain",
]
