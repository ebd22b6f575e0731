"""A pretraining run: begun in a folder, or continued from what lies there."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from dasheng_lib.checkpoint.weights import load_objective
from dasheng_lib.common.cache import artefact
from dasheng_lib.common.distributed import (
    Strategy,
    World,
    full_state,
    gather_objects,
    on_first_rank,
    parallelise,
    restore_state,
)
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.objectives import Objective, recompute
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.batches import (
    Batch,
    Batches,
    batches_of,
    first_batches,
    reader,
    validation_batches,
)
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import Run, RunFolder
from dasheng_lib.train.health import validate
from dasheng_lib.train.loop import make_optimizer, pretrain

VERSION = 3  # raise it when the same configuration would give another run


@dataclass(frozen=True)
class Execution:
    """How a run is computed; none of it changes what is computed, up to rounding.

    Attributes:
        strategy: see :func:`dasheng_lib.common.distributed.parallelise`.
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
    if teacher := read_teacher(config):
        recipe["teacher_digest"] = teacher.digest
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


@dataclass(frozen=True)
class Teacher:
    """What a run learns from: weights of a model of its family, and a hash of its encoder."""

    weights: dict[str, Tensor]
    digest: str


def read_teacher(config: RunConfig) -> Teacher | None:
    """The teacher that a configuration names; None if it names none.

    Raises:
        UserError: the file is absent or damaged, or holds another family or size.
    """
    if not config.teacher:
        return None
    model = load_objective(config.teacher)
    size = FAMILIES[config.family].size(config.preset)
    if model.family != config.family or model.encoder.config != size:
        raise UserError(
            f"The teacher {config.teacher} is not {config.family} of size {config.preset}: name "
            "the final.safetensors of a run of the same family and size."
        )
    return Teacher(model.state_dict(), state_digest(model.encoder))


def pretrain_into(
    folder: Path | str,
    data: Batches,
    validation_data: Batches | None,
    config: RunConfig,
    world: World | None = None,
    execution: Execution | None = None,
) -> Run:
    """Train in ``folder``, from its last checkpoint if it has one.

    Args:
        data: what to train on, in batches of ``config.batch``.
        validation_data: what to validate on, in such batches; None does not validate.

    Raises:
        UserError: the folder holds a run of another configuration, cannot be written, or has no
            room for what the run will write; or the teacher cannot be read.
    """
    files, world, execution = RunFolder(folder), world or World(), execution or Execution()
    rows = world.rows(config.batch)
    read = reader(data, config, rows)
    with ExitStack() as stack:
        teacher = on_first_rank(world, partial(read_teacher, config))
        inputs = {"corpus": data.name, "corpus_digest": data.digest}
        inputs |= {"teacher_digest": teacher.digest} if teacher else {}
        # One process holds the folder until the end of the block.
        claim = files.claimed(config, inputs)
        on_first_rank(world, lambda: stack.enter_context(claim))
        if on_first_rank(world, files.finished):
            return Run(files.path)
        model = new_model(config).to(world.device)
        state: dict[str, Any] = {}  # of the first process only

        def go_on() -> tuple[int, float]:
            state.update(files.load(model) or {})
            return state.get("step", 0), state.get("seconds", 0.0)

        start, before = on_first_rank(world, go_on)
        on_first_rank(world, partial(files.need_room, model, config))
        if start == 0:
            if teacher:
                model.learn_from(teacher.weights)
            model.calibrate(first_batches(data, world.device, rows))
            if world.first:
                files.snapshot(model, model.state_dict(), 0)
        parallel = _set_up(model, world, execution)
        optimizer = make_optimizer(model, config.train)
        if start > 0:
            # Only the first process has read them; the others get theirs from it.
            weights, moments = (state["weights"], state["optimizer"]) if state else ({}, {})
            restore_state(model, optimizer, weights, moments, world)

        batches = validation_batches(validation_data, config, rows)
        validation = _Validation(files, config, world, batches, start, before)
        if start == 0:
            validation.after(0, 0.0, model, parallel)
        quiet = not (execution.progress and world.first)
        bar = stack.enter_context(
            tqdm(None, "pretrain", config.train.steps, None, initial=start, disable=quiet)
        )
        for record in pretrain(
            model,
            read,
            config.train,
            optimizer,
            start,
            world,
            parallel,
            execution.replay and world.size == 1 and FAMILIES[config.family].replayable,
        ):
            record = replace(record, seconds=before + record.seconds)
            bar.set_postfix(loss=f"{record.loss:.3f}", refresh=False)
            bar.update()
            if world.first:
                files.log(record)
            validation.after(record.step, record.seconds, model, parallel)
            keeps = record.step in config.snapshots
            if keeps or record.step % execution.checkpoint_every == 0:
                weights, moments = full_state(model, optimizer)
                bad = gather_objects(getattr(data, "skipped", {}))
                if not world.first:
                    continue
                if keeps:
                    files.snapshot(model, weights, record.step)
                files.skipped({k: v for part in bad for k, v in part.items()})
                files.keep(weights, moments, record.step, record.seconds)
        if world.first:
            files.finish(model, weights, steps=str(config.train.steps), corpus=data.digest)
    return Run(files.path)


class _Validation:
    """Validations of a run: each writes a row in its folder, and a warning if there is cause.

    Args:
        batches: this process's rows of the audio; without any there are no validations.
        start, seconds: step and time at which this process begins.
    """

    def __init__(
        self,
        files: RunFolder,
        config: RunConfig,
        world: World,
        batches: list[Batch],
        start: int,
        seconds: float,
    ) -> None:
        self.files, self.config, self.world, self.batches = files, config, world, batches
        self.last = (start, seconds)

    def after(self, step: int, seconds: float, model: Objective, parallel: nn.Module) -> None:
        """Validate if the run is to be validated after this step, reached in so many seconds."""
        config = self.config
        if not self.batches or not config.validates_at(step):
            return
        hours = config.batch * config.clip_seconds / 3600  # of audio in a step
        speed = hours * (step - self.last[0]) / (seconds - self.last[1]) * 3600 if step else 0.0
        self.last = (step, seconds)
        half = config.train.precision == "bfloat16"
        with torch.autocast(self.world.device.type, torch.bfloat16, half):
            found = validate(
                parallel,
                model,
                self.batches,
                self.world,
                step=step,
                hours=hours * step,
                speed=speed,
            )
        said = self.world.first and self.files.validated(found, config.train.steps)
        if said:
            tqdm.write(f"step {step}: {said}", file=sys.stderr)


def _set_up(model: Objective, world: World, execution: Execution) -> nn.Module:
    if execution.recompute:
        recompute(model.blocks)
    if execution.compile:
        for block in model.blocks:
            block.compile()
    return parallelise(model, model.blocks, world, execution.strategy)
