"""Run by test_killed.py: train, and die by SIGKILL at the n-th touch of the disk."""

import os
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # as the first optimizer does: once, before the forks

from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.train import TrainConfig
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.run import Execution, pretrain_into

CONFIG = RunConfig(preset="48x2x2", batch=4, clip_seconds=0.5, train=TrainConfig(steps=6))


def train(folder: Path) -> None:
    data, _ = batches_of(synthetic_corpus(), CONFIG)
    execution = Execution(checkpoint_every=1, progress=False)
    pretrain_into(folder, data, None, CONFIG, None, execution)


def die_at(touch: int) -> None:
    """Kill this process before its ``touch``-th flush, rename, removal or write of tensors."""
    left = [touch]

    def watched(real):
        def call(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, watched(getattr(os, name)))
    save = torch.save

    def half_saved(state, path):
        """A file that was cut in the middle, if it is its turn."""
        left[0] -= 1
        save(state, path)
        if left[0] == 0:
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = half_saved


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for touch in map(int, sys.argv[2:]):
        child = os.fork()
        if child == 0:
            die_at(touch)
            train(folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        how = os.waitstatus_to_exitcode(status)
        print(how)
