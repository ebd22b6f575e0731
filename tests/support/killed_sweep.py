"""Run by test_sweep.py: sweep, die by SIGKILL before the n-th file is in place, sweep on."""

import os
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # as the first optimizer does: once, before the forks

from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.sweep.engine import work
from dasheng_lib.sweep.grid import read_grid

RUNS = ["base", "mask_ratio-0.25"]  # of the grid


def sweep(path: Path, folder: Path, touches: int) -> None:
    """Work on the grid; die when ``touches`` files have been renamed into place."""
    left, replace = [touches], os.replace

    def counted(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(*arguments)

    os.replace = counted
    work(read_grid(path), folder, RUNS, progress=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    synthetic_corpus()  # as the optimizer's module
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for touches in [*map(int, sys.argv[3:]), 10_000]:
        child = os.fork()
        if child == 0:
            sweep(path, folder, touches)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
