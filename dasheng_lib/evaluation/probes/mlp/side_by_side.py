"""Several computations side by side on the cores, without a barrier between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch


def advance_all(jobs: Sequence[Iterator[None]], threads: int) -> None:
    """Advance all jobs to their ends, the earlier begun first.

    At most ``threads`` of them move at a time, each in ``threads / jobs`` threads of torch's, at
    least one: whole jobs on a core each never wait for each other, as the halves of a product do
    (on two cores that others use too, the probe's grid took a fourth of the CPU time so). torch's
    number of threads is another until this returns. The first failure is raised; it, or Ctrl-C,
    ends all jobs at their next ``yield``.
    """
    stop = threading.Event()

    def work(job: Iterator[None]) -> None:
        try:
            while not stop.is_set() and next(job, stop) is not stop:
                pass
        except BaseException:
            stop.set()
            raise

    workers = min(threads, len(jobs))
    if workers <= 1:
        for job in jobs:
            work(job)
        return
    inner = max(threads // len(jobs), 1)
    try:
        with ThreadPoolExecutor(workers, "", torch.set_num_threads, [inner]) as pool:
            try:
                list(pool.map(work, jobs))
            finally:
                stop.set()  # before the pool waits for its threads
    finally:
        torch.set_num_threads(threads)
