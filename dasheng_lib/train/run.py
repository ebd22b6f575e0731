"""A pretraining run: started, resumed, found again, read."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from dasheng_lib.common.cache import artefact
from dasheng_lib.common.distributed import (
    Strategy,
    World,
    agree,
    first_does,
    gather_objects,
    restore_state,
    spread,
    whole_state,
)
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops, Exam
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.objectives import Objective, recompute
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import Run, RunFolder
from dasheng_lib.train.health import validate
from dasheng_lib.train.loop import Record, make_optimizer, pretrain

VERSION = 3  # raise it when the same configuration would give another run
CALIBRATION_BATCHES = 8
VALIDATION_CROPS = 512


class Batches(Protocol):
    """Audio to train on: a batch is a function of its step alone, so nothing need be restored."""

    name: str
    digest: str

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray | Tensor:
        """Float32 [rows, N]: these rows of the step's batch; a tensor where it lies on a card."""
        ...


@dataclass(frozen=True)
class Execution:
    """How a run is computed; none of it changes what is computed, up to rounding.

    Attributes:
        strategy: see :func:`dasheng_lib.common.distributed.spread`.
        recompute: compute blocks again in the backward pass, to save memory.
        compile: let torch compile the blocks.
        replay: launch the kernels of a step at once, see :mod:`dasheng_lib.train.replay`; it is for
            one process with a card, and a family that allows it.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar.
    """

    strategy: Strategy = "ddp"
    recompute: bool = False
    compile: bool = False
    replay: bool = False
    checkpoint_every: int = 200
    progress: bool = True


def pretrained(corpus: Corpus, config: RunConfig, progress: bool = True) -> Run:
    """The run of this configuration on this corpus: from the cache, or trained now.

    A run that was interrupted goes on from its last checkpoint.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = {
        "config": config.record(),
        "corpus": corpus.digest,
        "version": VERSION,
        "torch": torch.__version__.split("+")[0],
        "device": device.type,
    }
    return Run(
        artefact(
            "pretrain",
            recipe,
            lambda folder: pretrain_into(
                folder,
                *batches_of(corpus, config),
                config,
                World(device=device),
                Execution(progress=progress),
            ),
            resumable=True,
        )
    )


def batches_of(corpus: Corpus, config: RunConfig) -> tuple[Crops, Exam | None]:
    """What to train on and what to validate on: the crops of a corpus, and of what is held out.

    Raises:
        UserError: every domain is a single group, so that nothing can be held out.
    """
    if not config.hold_out:
        return crops_of(corpus, config), None
    rest, held = hold_out(corpus, config.hold_out)
    if not len(held):
        raise UserError(
            f"Every domain of {corpus.name} is a single group, and whole groups are held out: "
            "train with a hold_out of 0, or on more groups."
        )
    exam = Exam(held, config.clip_seconds, config.batch, VALIDATION_CROPS, config.short)
    return crops_of(rest, config), exam


def crops_of(corpus: Corpus, config: RunConfig, make: Callable[..., Crops] = Crops) -> Crops:
    """The crops of a corpus that a configuration asks for, of one or the other kind."""
    return make(
        corpus,
        config.clip_seconds,
        config.batch,
        config.train.seed,
        config.short,
        config.even,
        config.speed,
        config.mix,
    )


def pretrain_into(
    folder: Path | str,
    data: Batches,
    held: Batches | None,
    config: RunConfig,
    world: World | None = None,
    execution: Execution | None = None,
) -> Run:
    """Train in ``folder``, from its last checkpoint if it has one.

    Args:
        data, held: what to train and what to validate on, in batches of ``config.batch``.

    Raises:
        UserError: the folder holds a run of another configuration, cannot be written, or has no
            room for what the run will write.
    """
    files, world, execution = RunFolder(folder), world or World(), execution or Execution()
    rows = world.rows(config.batch)
    with ExitStack() as stack:
        claim = files.claimed(config, data.name, data.digest)
        first_does(world, lambda: stack.enter_context(claim))
        if files.finished():
            return Run(files.path)
        state = files.load() if world.first else None
        start, before = agree((state["step"], state["seconds"]) if state else (0, 0.0))
        exam = _exam(held, config, rows)
        hours, since = config.batch * config.clip_seconds / 3600, (start, before)
        half = config.train.precision == "bfloat16"
        quiet = not (execution.progress and world.first)
        bar = tqdm(None, "pretrain", config.train.steps, None, initial=start, disable=quiet)
        stack.enter_context(bar)
        for record, stage in _steps(files, data, config, world, execution, start, state):
            model, step = stage.model, record.step
            record = replace(record, seconds=record.seconds + before)
            if step:
                bar.set_postfix(loss=f"{record.loss:.3f}", refresh=False)
                bar.update()
                if world.first:
                    files.log(record)
            if exam and config.validates_at(step):
                taken = record.seconds - since[1]
                speed = hours * (step - since[0]) / taken * 3600 if step else 0.0
                since = (step, record.seconds)
                facts = {"step": step, "hours": hours * step, "speed": speed}
                with torch.autocast(world.device.type, torch.bfloat16, half):
                    found = validate(stage.parallel, model, exam, world, **facts)
                said = world.first and files.validated(found, config.train.steps, stage.first)
                if said:
                    tqdm.write(f"step {step}: {said}", file=sys.stderr)
            if step and (step in config.snapshots or step % execution.checkpoint_every == 0):
                weights, moments = whole_state(model, stage.optimizer)
                bad = gather_objects(getattr(data, "skipped", {}))
                if world.first:
                    if step in config.snapshots:
                        files.snapshot(model, weights, step)
                    files.skipped({k: v for part in bad for k, v in part.items()})
                    files.keep(weights, moments, step, record.seconds)
                    if step == config.train.steps:
                        facts = {"steps": str(step), "corpus": data.digest}
                        files.finish(model, weights, **facts)
    return Run(files.path)


@dataclass(frozen=True)
class _Stage:
    """What is trained after step ``first`` of the run."""

    model: Objective
    parallel: nn.Module
    optimizer: torch.optim.Optimizer
    first: int


def _steps(
    files: RunFolder,
    data: Batches,
    config: RunConfig,
    world: World,
    execution: Execution,
    start: int,
    state: dict[str, Any] | None,
) -> Iterator[tuple[Record, _Stage]]:
    """The steps of all stages behind ``start``, numbered through; seconds are of this process.

    A run that begins is first handed out as it is before its first step, with a record of step 0.

    Args:
        state: what the first process has kept of step ``start``.
    """
    rows, seconds = world.rows(config.batch), 0.0
    kept = state or {"weights": {}, "optimizer": {}}
    for number, (first, last) in enumerate(config.stages):
        if start >= last:
            continue
        model = new_model(config, number).to(world.device)
        first_does(world, partial(files.need_room, model, config))
        if start == first:
            if number:
                model.learn_from(agree(kept["weights"]))
            model.calibrate(_first_batches(data, world.device, rows))
            if world.first and start == 0:
                files.snapshot(model, model.state_dict(), 0)
        parallel = _set_up(model, world, execution)
        optimizer = make_optimizer(model, config.train)
        if start > first:
            restore_state(model, optimizer, kept["weights"], kept["optimizer"], world)
        stage, before = _Stage(model, parallel, optimizer, first), seconds
        if start == first == 0:
            yield Record(0, math.nan, 0.0, math.nan, 0.0), stage
        for record in pretrain(
            model,
            lambda step, first=first: data.batch(first + step, rows),
            replace(config.train, steps=last - first),
            optimizer,
            start - first,
            world,
            parallel,
            execution.replay and world.size == 1 and FAMILIES[model.family].replayable,
        ):
            seconds = before + record.seconds
            yield replace(record, step=first + record.step, seconds=seconds), stage
        start, kept = last, {"weights": whole_state(model, optimizer)[0]}


def _first_batches(data: Batches, device: torch.device, rows: slice) -> Iterator[Tensor]:
    """This process's rows of the batches that a model is calibrated on."""
    for step in range(CALIBRATION_BATCHES):
        yield torch.as_tensor(data.batch(step, rows)).to(device)


def _set_up(model: Objective, world: World, execution: Execution) -> nn.Module:
    if execution.recompute:
        recompute(model.blocks)
    if execution.compile:
        for block in model.blocks:
            block.compile()
    return spread(model, model.blocks, world, execution.strategy)


def _exam(held: Batches | None, config: RunConfig, rows: slice) -> list[np.ndarray]:
    """This process's rows of the crops that every validation uses."""
    if held is None:
        return []
    batches = len(held) if isinstance(held, Exam) else -(-VALIDATION_CROPS // config.batch)
    return [held.batch(step, rows) for step in range(batches)]
