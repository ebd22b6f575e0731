"""All runs of a grid, in one process, in several, or on a cluster.

Whoever works takes the next run that is neither in the table nor in somebody's hands, so any
number of workers may share a folder, come late, or die.
"""

from __future__ import annotations

import fnmatch
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from tqdm.auto import tqdm

from dasheng_lib.common.cache import claimed
from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.sweep.grid import Grid, read_grid
from dasheng_lib.sweep.judge import Judge
from dasheng_lib.sweep.table import SweepTable
from dasheng_lib.sweep.trial import run_trial


def chosen(grid: Grid, patterns: Sequence[str] | None) -> list[str]:
    """Names of the runs that one of the patterns fits, in the order of the grid.

    Raises:
        UserError: a pattern fits none.
    """
    names = [trial.run for trial in grid.trials]
    for pattern in patterns or ():
        if not fnmatch.filter(names, pattern):
            raise UserError(f"No run is called {pattern!r}: the runs are {', '.join(names)}.")
    return [n for n in names if not patterns or any(fnmatch.fnmatch(n, p) for p in patterns)]


def work(
    grid: Grid,
    folder: Path,
    only: Sequence[str] | None = None,
    progress: bool = True,
    tidy: bool = True,
    load: Callable[[str], Corpus] = load_corpus,
) -> list[str]:
    """Do what is left of a grid in this process.

    Args:
        folder: of the sweep; each run has a folder of its own in ``folder/runs``.
        only: names of runs; by default all.
        tidy: of a finished run keep the last weights alone.

    Returns:
        Names of runs that other processes were busy with, and that are not in the table.
    """
    table = SweepTable(folder, grid.trials)
    trials = [trial for trial in grid.trials if only is None or trial.run in only]
    judge, busy = None, []
    for trial in tqdm(trials, "sweep", disable=not progress):
        place = folder / "runs" / trial.run
        with claimed(place / ".trial.lock") as mine:
            if trial.run in table.done():
                continue
            if not mine:
                busy.append(trial.run)
                continue
            judge = judge or Judge(grid.protocol, load)
            rows, facts = run_trial(trial, place, judge, load, progress)
            if tidy:  # first, for a run that is in the table is not looked at again
                leave_last(place)
            table.add(rows, facts)
    return [run for run in busy if run not in table.done()]


def work_in_parallel(
    path: Path, folder: Path, only: Sequence[str] | None, workers: int, tidy: bool = True
) -> None:
    """Do what is left of the grid in the file ``path`` in several processes of this machine.

    Raises:
        UserError: a process was killed, or a run failed in a way that its user can mend.
    """
    grid = read_grid(path)
    done = SweepTable(folder, grid.trials).done()
    left = [t.run for t in grid.trials if t.run not in done and (only is None or t.run in only)]
    threads = max(1, (os.cpu_count() or 1) // workers)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # the workers' numpy and torch read it once
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(workers, context, start_worker, (threads,)) as pool,
        tqdm(total=len(left), desc=f"sweep, {workers} processes") as bar,
    ):
        coming = {pool.submit(_one, path, folder, run, tidy): run for run in left}
        try:
            for done in as_completed(coming):
                seconds = done.result()
                tqdm.write(f"{coming[done]}: {seconds:.0f} s")
                bar.update()
        except BrokenProcessPool as error:
            raise UserError(
                "A process of the sweep was killed (memory?): run the same command again, "
                "perhaps with fewer --workers; it goes on where it stopped."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def work_on_cluster(
    path: Path, folder: Path, only: Sequence[str] | None, jobs: int, **options: Any
) -> list[Any]:
    """Submit ``jobs`` jobs that share the grid in the file ``path``, through submitit.

    Args:
        options: of submitit's ``update_parameters``, such as ``slurm_partition`` or
            ``timeout_min``; ``cluster="local"`` runs the jobs on this machine.

    Returns:
        submitit's jobs. A job that SLURM stops is simply submitted again.

    Raises:
        UserError: submitit is not installed, or has no such option.
    """
    try:
        import submitit
    except ImportError as error:
        raise UserError("Jobs on a cluster need submitit: pip install submitit.") from error
    try:
        executor = submitit.AutoExecutor(folder / "jobs", cluster=options.pop("cluster", None))
        executor.update_parameters(name="dasheng-sweep", **options)
    except Exception as error:  # it has a kind of error for each fault
        raise UserError(f"submitit takes no such --slurm ({one_line(error)}).") from error
    return [executor.submit(_job, path.absolute(), folder.absolute(), only) for _ in range(jobs)]


def _job(path: Path, folder: Path, only: Sequence[str] | None) -> list[str]:
    return work(read_grid(path), folder, only, progress=False)


def start_worker(threads: int) -> None:
    """Make this one of several processes: it does not outlive the one that started it."""
    torch.set_num_threads(threads)
    starter = multiprocessing.parent_process()

    def follow() -> None:
        starter.join()
        os._exit(1)  # whatever it is at: all files are whole, and the next worker goes on

    Thread(target=follow, daemon=True).start()


def _one(path: Path, folder: Path, run: str, tidy: bool) -> float:
    began = time.perf_counter()
    work(read_grid(path), folder, [run], progress=False, tidy=tidy)
    return time.perf_counter() - began


def leave_last(place: Path) -> None:
    """Leave of a finished run its last weights alone."""
    for path in (*place.rglob("step-*.safetensors"), *place.rglob("judged-*.npy")):
        path.unlink()
