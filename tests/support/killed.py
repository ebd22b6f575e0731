"""Run by test_killed.py: train, and die by SIGKILL at the n-th touch of the disk."""

import builtins
import io
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

CONFIG = RunConfig(
    preset="48x2x2", batch=4, clip_seconds=0.5, hold_out=0.25, train=TrainConfig(steps=6)
)


def train(folder: Path) -> None:
    execution = Execution(checkpoint_every=1, progress=False)
    pretrain_into(folder, *batches_of(synthetic_corpus(), CONFIG), CONFIG, None, execution)


def die_at(touch: int) -> None:
    """Kill this process at its ``touch``-th touch of the disk.

    It dies before a flush, rename or removal; when a file is open for writing, and nothing is
    written yet; and in the middle of a write of tensors.
    """
    left = [touch]

    def touched() -> bool:
        left[0] -= 1
        return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def before(real):
        def call(*arguments, **named):
            if touched():
                die()
            return real(*arguments, **named)

        return call

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, before(getattr(os, name)))

    def opened(real):
        def call(*arguments, **named):
            file = real(*arguments, **named)
            mode = named.get("mode", arguments[1] if len(arguments) > 1 else "r")
            writes = mode & os.O_CREAT if isinstance(mode, int) else set(mode) & set("wax+")
            if writes and touched():
                die()
            return file

        return call

    for module in (os, io, builtins):
        module.open = opened(module.open)
    save = torch.save

    def half_saved(state, path):
        """A file that was cut in the middle, if it is its turn."""
        save(state, path)
        if touched():
            os.truncate(path, os.path.getsize(path) // 2)
            die()

    torch.save = half_saved


if __name__ == "__main__":
    torch.set_num_threads(1)
    synthetic_corpus()  # as the optimizer's module: once, before the forks
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
