"""All runs of a grid on one card: several train side by side, and several are judged meanwhile.

A small model leaves most of a card idle, so each training process holds several runs, a thread
and a stream each. What they leave is judged step by step in processes of their own, where the
processor's part, the probes, takes longest. A finished run goes into the table at once; whatever
is cut off, the table is whole.
"""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from card_crops import CardCrops
from torch import Tensor

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.sweep.engine import leave_last, start_worker
from dasheng_lib.sweep.grid import Grid, read_grid
from dasheng_lib.sweep.judge import Judge
from dasheng_lib.sweep.table import SweepTable
from dasheng_lib.sweep.trial import (
    audio_of,
    device,
    judged,
    kept_steps,
    rows_of,
    trained_run,
)
from dasheng_lib.train.batches import crops_of
from dasheng_lib.train.run import Execution

Load = Callable[[str], Corpus]


@dataclass(frozen=True)
class Crew:
    """Who works.

    Four small runs at once fill an H200 (``bench_small_steps_card.csv``: 314 steps a second, with
    eight 283), and the fewer share it the sooner the first ones are done and judged. Families that
    are not replayed wait for Python: give them more processes.

    Attributes:
        trainers: processes that train.
        streams: runs that each of them has in hand at once.
        judges: processes that judge.
        apart: judge when all have been trained, so that judges do not take turns on the card with
            those who train.
    """

    trainers: int = 1
    streams: int = 4
    judges: int = 13
    apart: bool = False


@dataclass(frozen=True)
class Job:
    """Where a grid's runs come from and go to.

    Attributes:
        grid: YAML file.
        tables: folder of ``sweep.csv`` and ``runs.csv``; runs that are there are done.
        place: folder of the runs' own folders.
        load: a corpus by name; other processes must be able to import it.
        audio: what the rows say of their audio.
    """

    grid: Path
    tables: Path
    place: Path
    load: Load
    audio: str

    def read(self) -> tuple[Grid, SweepTable]:
        """The grid, and what is done of it."""
        grid = read_grid(self.grid)
        return grid, SweepTable(self.tables, grid.trials)


def work_on_card(
    job: Job, crew: Crew, seconds: float, say: Callable[[str], None] = print
) -> list[str]:
    """Do as much of a grid as ``seconds`` allow, in its order.

    Returns:
        Names of the runs that are left. What was begun of them is lost.

    Raises:
        UserError: a process was killed.
    """
    until = time.monotonic() + seconds
    grid, table = job.read()
    trials = {trial.run: trial for trial in grid.trials}
    left = [run for run in trials if run not in table.done()]
    if not left or seconds <= 0:
        return left
    context = multiprocessing.get_context("spawn")
    to_train, to_judge, said = context.Queue(), context.Queue(), context.Queue()
    trainers, judges = (
        [context.Process(target=what, args=(job, *more), daemon=True) for _ in range(count)]
        for what, count, more in (
            (_train, crew.trainers, (to_train, said, crew.streams)),
            (_judge, crew.judges, (to_judge, said)),
        )
    )
    crowd = trainers if crew.apart else trainers + judges
    untrained, unjudged = deque(left), deque()  # unjudged: run, step (None: make its rows), facts
    training, judging, failed = 0, 0, set()
    missing: dict[str, set[int]] = {}  # steps of a run that are not judged yet
    ended: dict[str, tuple[str, float]] = {}
    try:
        for process in crowd:
            process.start()
        while set(left) - failed and time.monotonic() < until:
            # No faster than the judges can follow: what is not judged in time is lost.
            while (
                untrained
                and training < crew.trainers * crew.streams
                and (crew.apart or len(unjudged) < 3 * crew.judges)
            ):
                to_train.put(untrained.popleft())
                training += 1
            if unjudged and not training and crowd is trainers:
                crowd = trainers + judges
                for process in judges:
                    process.start()
            while unjudged and judging < crew.judges and crowd is not trainers:
                to_judge.put(unjudged.popleft())
                judging += 1
            try:
                what, run, facts = said.get(timeout=max(min(until - time.monotonic(), 1.0), 0.01))
            except queue.Empty:
                if not all(process.is_alive() for process in crowd):
                    raise UserError(
                        "A process of the sweep was killed (memory?): run the same command again "
                        "with fewer processes; it goes on where it stopped."
                    ) from None
                continue
            training -= run not in ended
            judging -= run in ended
            if what == "trained":
                ended[run], missing[run] = facts, set(kept_steps(trials[run], job.place / run))
                unjudged.extend((run, step, None) for step in missing[run])
            elif what == "judged":
                missing[run].discard(facts)
                if not missing[run]:
                    unjudged.appendleft((run, None, ended[run]))
            elif what == "added":
                left.remove(run)
                say(f"{run}: {ended[run][0]}, {ended[run][1]:.0f} s of training; {len(left)} left")
            else:
                failed.add(run)
                say(f"{run} failed: {facts}")
    finally:
        for process in crowd:
            process.terminate()
        for process in crowd:
            process.join(10)
    return left


def _train(job: Job, todo: Queue, said: Queue, streams: int) -> None:
    """A process that trains: as many threads as streams, each with a run."""
    start_worker(1)
    grid, _ = job.read()
    trials = {trial.run: trial for trial in grid.trials}
    held = hold_out(prepare(job.load(grid.protocol.corpora[0])), grid.protocol.hold_out)[1]
    stores: dict[str, Tensor] = {}  # audio of a corpus, once for all threads
    storing = Lock()

    def store_of(corpus: Corpus) -> Tensor:
        with storing:
            if corpus.name not in stores:
                stores[corpus.name] = torch.tensor(np.asarray(corpus.store), device=device())
                if device().type == "cuda":
                    torch.cuda.synchronize()
            return stores[corpus.name]

    def train() -> None:
        on_card = device().type == "cuda"
        with torch.cuda.stream(torch.cuda.Stream()) if on_card else nullcontext():
            while True:
                trial = trials[todo.get()]
                config = trial.config
                try:
                    corpus = audio_of(trial, held, job.load)
                    cut = partial(CardCrops, device=device(), store=store_of(corpus))
                    crops = crops_of(corpus, config, cut)
                    execution = Execution(
                        checkpoint_every=config.train.steps, progress=False, replay=True
                    )
                    ended = trained_run(trial, job.place / trial.run, crops, execution)
                    said.put(("trained", trial.run, ended))
                except Exception as error:  # one run's fault is not the others'
                    said.put(("failed", trial.run, f"{type(error).__name__}: {error}"))

    with ThreadPoolExecutor(streams) as pool:
        for thread in [pool.submit(train) for _ in range(streams)]:
            thread.result()


def _judge(job: Job, todo: Queue, said: Queue) -> None:
    """A process that judges: one step of one run at a time."""
    start_worker(1)
    grid, table = job.read()
    trials = {trial.run: trial for trial in grid.trials}
    judge = Judge(grid.protocol, job.load)
    while True:
        run, step, ended = todo.get()
        folder = job.place / run
        try:
            if step is not None:
                judged(trials[run], folder, step, judge)
                said.put(("judged", run, step))
                continue
            corpus = audio_of(trials[run], judge.held, job.load)
            rows, facts = rows_of(trials[run], folder, corpus, judge, *ended)
            table.add([{**row, "audio": job.audio} for row in rows], facts)
            leave_last(folder)
            said.put(("added", run, None))
        except Exception as error:
            said.put(("failed", run, f"{type(error).__name__}: {error}"))
