"""Pretraining: one visible loop that yields a record for each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dasheng_lib.mae import MaskedAutoencoder


@dataclass(frozen=True)
class TrainConfig:
    """How to train, apart from what and on what.

    Attributes:
        steps: optimizer steps in all.
        lr: peak learning rate; reached after ``warmup`` (a share of the steps), from where a
            cosine falls to ``final`` times the peak.
        weight_decay, betas: of AdamW, on all parameters as upstream.
        clip_norm: largest gradient norm.
        seed: of the mask of each step.
        precision: ``"float32"``, or ``"bfloat16"`` for the blocks (the front end, the loss and
            the weights stay float32).
    """

    steps: int = 1200
    lr: float = 1e-3
    warmup: float = 0.05
    final: float = 0.1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 1.0
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is at least 1, not {self.steps}")
        if not 0.0 < self.lr < 1.0:
            raise ValueError(f"lr is above 0 and below 1, not {self.lr}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision is 'float32' or 'bfloat16', not {self.precision!r}")


@dataclass(frozen=True)
class Record:
    """One step: its number from 1, loss, learning rate, gradient norm, seconds since the start."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    seconds: float


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of ``step`` (from 0): linear warm-up, then a cosine to ``final`` x peak."""
    warmup = max(round(config.warmup * config.steps), 1)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    progress = (step - warmup) / max(config.steps - warmup, 1)
    low = config.lr * config.final
    return low + (config.lr - low) * (1 + math.cos(math.pi * progress)) / 2


def make_optimizer(model: MaskedAutoencoder, config: TrainConfig) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(), config.lr, config.betas, weight_decay=config.weight_decay, fused=True
    )


def mask_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """The random numbers of one step's mask: known from seed and step alone."""
    (state,) = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state) >> 1)


def pretrain(
    model: MaskedAutoencoder,
    batch: Callable[[int], np.ndarray],
    config: TrainConfig,
    optimizer: torch.optim.Optimizer | None = None,
    start: int = 0,
) -> Iterator[Record]:
    """Train ``model`` in place, a record a step.

    Args:
        model: on the device to train on.
        batch: from a step (from 0) to its waveforms, float32 [B, N].
        config: how to train.
        optimizer: by default a new AdamW; hand one in, with ``start``, to go on with a run.
        start: steps already taken.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    optimizer = optimizer or make_optimizer(model, config)
    device = next(model.parameters()).device
    began = time.perf_counter()
    model.train()
    for step in range(start, config.steps):
        lr = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = lr
        wave_BN = torch.from_numpy(batch(step)).to(device, non_blocking=True)
        generator = mask_generator(config.seed, step, torch.device("cpu"))
        with torch.autocast(device.type, torch.bfloat16, config.precision == "bfloat16"):
            loss = model(wave_BN, generator).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} at step {step + 1}: lower lr ({lr:g})")
        yield Record(step + 1, value, lr, norm.item(), time.perf_counter() - began)
