"""Pretraining."""

from dasheng_lib.train.loop import make_optimizer, mask_noise, pretrain
from dasheng_lib.train.schedule import TrainConfig, learning_rate

__all__ = [
    "TrainConfig",
    "learning_rate",
    "make_optimizer",
    "mask_noise",
    "pretrain",
]
