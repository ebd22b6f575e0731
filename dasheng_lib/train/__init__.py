"""Pretraining."""

from dasheng_lib.train.batches import crops_of
from dasheng_lib.train.loop import make_optimizer, mask_noise, pretrain
from dasheng_lib.train.run import pretrained
from dasheng_lib.train.schedule import TrainConfig, learning_rate

__all__ = [
    "TrainConfig",
    "crops_of",
    "learning_rate",
    "make_optimizer",
    "mask_noise",
    "pretrain",
    "pretrained",
]
