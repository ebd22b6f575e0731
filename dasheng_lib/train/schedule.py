"""How a run is optimised: its settings, and the learning rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dasheng_lib.common.settings import check_types, setting


@dataclass(frozen=True)
class TrainConfig:
    """How to train, apart from what and on what.

    Attributes:
        steps: optimizer steps in all.
        lr: peak learning rate; reached after ``warmup`` (a share of the steps), from where a
            cosine falls to ``final`` times the peak.
        schedule: ``"cosine"`` as said; ``"upstream"`` begins at 0 and stretches the cosine over
            ``steps`` steps that begin after the warm-up, so that it ends early.
        weight_decay, betas: of AdamW, on all parameters as upstream.
        optimizer: ``"adamw"``, or ``"adamw8bit"`` (bitsandbytes, as upstream).
        clip_norm: largest gradient norm; 0 does not clip (upstream).
        accumulate: parts that each process takes its rows of a batch in. The input norm sees a
            part at a time, so other numbers of parts are other runs.
        seed: of the mask of each step.
        precision: ``"float32"``, or ``"bfloat16"`` for the blocks (the front end, the loss and
            the weights stay float32).
    """

    steps: int = setting(1200, "optimizer steps")
    lr: float = setting(1e-3, "peak learning rate")
    warmup: float = setting(0.05, "share of the steps to reach it")
    final: float = 0.1
    schedule: Literal["cosine", "upstream"] = "cosine"
    weight_decay: float = setting(0.01, "of AdamW")
    betas: tuple[float, float] = (0.9, 0.999)
    optimizer: Literal["adamw", "adamw8bit"] = setting(
        "adamw", "adamw, or adamw8bit (bitsandbytes)"
    )
    clip_norm: float = 1.0
    accumulate: int = setting(1, "parts that a batch is taken in")
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "float32, or bfloat16 for the blocks"
    )

    def __post_init__(self) -> None:
        check_types(TrainConfig, vars(self))
        if self.steps < 1 or self.accumulate < 1:
            raise ValueError(
                f"steps and accumulate are at least 1, not {self.steps}, {self.accumulate}"
            )
        if not 0.0 < self.lr < 1.0:
            raise ValueError(f"lr is above 0 and below 1, not {self.lr}")
        if not (0.0 <= self.warmup < 1.0 and 0.0 <= self.final <= 1.0 and self.clip_norm >= 0):
            raise ValueError("warmup and final are shares, and clip_norm is 0 or more")
        if self.weight_decay < 0 or not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(
                f"weight_decay is 0 or more, and betas are below 1, not {self.weight_decay} and "
                f"{self.betas}"
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is 0 or more and below 2^32, not {self.seed}")


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of ``step`` (from 0): linear warm-up, then a cosine to ``final`` x peak."""
    warmup = round(config.warmup * config.steps)
    if config.schedule == "upstream":
        if step < warmup:
            return config.lr * step / max(warmup - 1, 1)
        progress = (step - warmup) / config.steps
    else:
        warmup = max(warmup, 1)
        if step < warmup:
            return config.lr * (step + 1) / warmup
        progress = (step - warmup) / max(config.steps - warmup, 1)
    low = config.lr * config.final
    return low + (config.lr - low) * (1 + math.cos(math.pi * progress)) / 2
