"""Several computations side by side on the cores, without a barrier between them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch


def advance_all(jobs: Sequence[Iterator[None]], threads: int) -> None:
    """Advance all jobs to their ends, each from one of its ``yield`` to the next, in turn.

    At most ``threads`` of them move at a time, each in ``threads / jobs`` threads of torch's, at
    least one: whole jobs on a core each never wait for each other, as the halves of a product
    do. torch's number of threads is another until this returns. The first failure is raised.
    """
    queue, failed = deque(jobs), threading.Event()

    def work() -> None:
        try:
            while queue and not failed.is_set():
                try:
                    job = queue.popleft()
                except IndexError:  # another thread was faster
                    return
                if next(job, work) is not work:
                    queue.append(job)
        except BaseException:
            failed.set()
            raise

    workers = min(threads, len(jobs))
    if workers <= 1:
        work()
        return
    try:
        inner = max(threads // len(jobs), 1)
        with ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=[inner]
        ) as pool:
            try:
                for future in [pool.submit(work) for _ in range(workers)]:
                    future.result()
            finally:
                failed.set()  # before the pool waits for its threads, for the sake of Ctrl-C
    finally:
        torch.set_num_threads(threads)
