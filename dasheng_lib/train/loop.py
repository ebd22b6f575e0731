"""Pretraining: one visible loop that yields a record for each step.

``torchrun --nproc-per-node N -m dasheng_lib.train ...`` is ``dasheng pretrain ...`` in N processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from dasheng_lib.common.distributed import World, mean_over
from dasheng_lib.common.errors import UserError
from dasheng_lib.objectives import Objective
from dasheng_lib.train.batches import Batch
from dasheng_lib.train.replay import Replayed
from dasheng_lib.train.schedule import TrainConfig, learning_rate


@dataclass(frozen=True)
class Record:
    """One step: its number from 1, loss, learning rate, gradient norm, seconds since the start."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    seconds: float


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW over all parameters of ``model`` that are trained, in one group.

    Raises:
        UserError: 8-bit AdamW is asked for and bitsandbytes is not installed.
    """
    options = {"lr": config.lr, "betas": config.betas, "weight_decay": config.weight_decay}
    parameters = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **options)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UserError(
            "adamw8bit needs bitsandbytes: pip install bitsandbytes, or choose adamw."
        ) from error
    return AdamW8bit(parameters, **options)


def mask_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """The random numbers of one step's mask: known from seed and step alone."""
    (state,) = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state) >> 1)


def mask_noise(
    model: Objective, B: int, N: int, seed: int, step: int, progress: float = 1.0
) -> Tensor:
    """All random numbers of one step, for the whole batch, from seed and step.

    Drawn in every process alike, so that a row's mask does not depend on who computes it.

    Args:
        progress: share of the training that is done before this step.
    """
    return model.draw_noise(B, N, mask_generator(seed, step, torch.device("cpu")), progress)


def pretrain(
    model: Objective,
    batch: Callable[[int], Batch],
    config: TrainConfig,
    optimizer: torch.optim.Optimizer | None = None,
    start: int = 0,
    world: World | None = None,
    parallel: nn.Module | None = None,
    replay: bool = False,
) -> Iterator[Record]:
    """Train ``model`` in place, a record a step.

    Args:
        model: of any family, on the device to train on.
        batch: from a step (from 0) to this process's rows of it, float32 [B, N]; an array, or a
            tensor on any device. With labels, where they are learned, it is a pair.
        config: how to train.
        optimizer: by default a new AdamW; hand one in, with ``start``, to go on with a run.
        start: steps already taken.
        world: this process among all; by default it is alone.
        parallel: what to call in place of ``model``, see
            :func:`dasheng_lib.common.distributed.parallelise`.
        replay: on a card, launch the kernels of a step at once, see :mod:`.replay`.

    Raises:
        FloatingPointError: the loss is no longer finite.
        UserError: a process's rows do not divide into ``config.accumulate`` parts.
    """
    optimizer = optimizer or make_optimizer(model, config)
    world = world or World(device=next(model.parameters()).device)
    parallel = parallel or model
    compute = partial(gradients, model, parallel, config)
    compute = Replayed(compute) if replay else compute
    began = time.perf_counter()
    model.train()
    for step, inputs in fetched_ahead(batch, start, config.steps):
        lr = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = lr
        B, N = inputs[0].shape
        if B % config.accumulate:
            raise UserError(
                f"{B} rows do not divide into {config.accumulate} equal parts: choose a batch and "
                "a number of parts that do."
            )
        noise = mask_noise(model, B * world.size, N, config.seed, step, step / config.steps)
        noise = noise[world.rank * B : (world.rank + 1) * B]
        loss, norm = compute(*(x.to(world.device, non_blocking=True) for x in (noise, *inputs)))
        value, norm = mean_over(loss).item(), norm.item()
        if not math.isfinite(value) or not math.isfinite(norm):
            raise FloatingPointError(
                f"loss {value} and gradient norm {norm} at step {step + 1}: lower lr ({lr:g})"
            )
        optimizer.step()
        model.after_step((step + 1) / config.steps)
        yield Record(step + 1, value, lr, norm, time.perf_counter() - began)


def gradients(
    model: Objective, parallel: nn.Module, config: TrainConfig, noise: Tensor, *inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """Leave the clipped gradients of a batch in the parameters; loss and norm before clipping.

    Args:
        inputs: audio [B, N], and labels [B] where they are learned.
    """
    model.zero_grad(set_to_none=True)
    device, half = noise.device, config.precision == "bfloat16"
    loss = torch.zeros((), device=device)
    parts = list(zip(*(x.chunk(config.accumulate) for x in (noise, *inputs)), strict=True))
    for part, (noise_b, *inputs_b) in enumerate(parts, 1):
        with no_sync_if(part < len(parts), parallel):
            with torch.autocast(device.type, torch.bfloat16, half):
                share = parallel(*inputs_b, noise=noise_b).loss / len(parts)
            share.backward()
        loss += share.detach()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm or math.inf)
    return loss, getattr(norm, "full_tensor", lambda: norm)()  # sharded under FSDP2


def fetched_ahead(
    batch: Callable[[int], Batch], start: int, stop: int
) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """``step, inputs`` for all steps; the next ones are read while these are used."""
    with ThreadPoolExecutor(1, "batch") as reader:
        coming = reader.submit(batch, start)
        for step in range(start, stop):
            inputs = as_tensors(coming.result())
            if step + 1 < stop:
                coming = reader.submit(batch, step + 1)
            yield step, inputs


def as_tensors(batch: Batch) -> tuple[Tensor, ...]:
    """Audio [B, N], and labels [B] where the batch has them."""
    return tuple(map(torch.as_tensor, batch if isinstance(batch, tuple) else (batch,)))


def no_sync_if(more: bool, parallel: nn.Module):
    """Within, gradients are not summed over processes if more parts of the batch are to come."""
    if hasattr(parallel, "no_sync"):  # DDP
        return parallel.no_sync() if more else nullcontext()
    if hasattr(parallel, "set_requires_gradient_sync"):  # FSDP2
        parallel.set_requires_gradient_sync(not more)
    return nullcontext()
