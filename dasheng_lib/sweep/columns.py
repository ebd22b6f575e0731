"""What a sweep's row says of a run beside its scores: settings, cost, health.

Measures of rank are rows of :mod:`dasheng_lib.rank.cards`, scores are :mod:`.judge`'s.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.sweep.grid import Trial
from dasheng_lib.sweep.iterations import of_one_run, parts
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.flops import step_flops
from dasheng_lib.train.health import verdict
from dasheng_lib.train.schedule import TrainConfig


def settings(trial: Trial, corpus: Corpus) -> dict[str, Any]:
    """The columns that say what a run is."""
    config = trial.config
    encoder = new_model(config).encoder
    return {
        "run": trial.run,
        "family": config.family,
        "preset": config.preset,
        "params": sum(p.numel() for p in encoder.parameters()),
        "width": encoder.dim,
        "depth": getattr(encoder.config, "depth", math.nan),
        "mask_ratio": getattr(config.task, "mask_ratio", math.nan),
        "data_hours": round(corpus.hours(), 4),
        "clip_seconds": config.clip_seconds,
        "batch": config.batch,
        "lr": config.train.lr,
        "steps": config.train.steps,
        "seed": config.train.seed,
    }


def spent_by(trial: Trial, step: int) -> dict[str, float]:
    """Hours of audio heard and operations spent by a step, those of a teacher's run included."""
    config, flops = trial.config, 0
    for part in parts(config):
        steps = min(max(step - part.begin, 0), part.config.train.steps)
        of_any = replace(part.config, keep=(), train=TrainConfig())  # a rate costs nothing
        flops += config.batch * steps * _flops(of_any) if steps else 0
    return {
        "hours_seen": config.batch * config.clip_seconds * step / 3600,
        "flops": float(flops),
    }


@cache
def _flops(config: RunConfig) -> int:
    """Operations to train on one clip."""
    return step_flops(new_model(config), round(config.clip_seconds * SAMPLE_RATE))


def state(rows: list[dict[str, Any]], trial: Trial) -> str:
    """Is the run well at its last row: see :func:`dasheng_lib.train.health.verdict`."""
    if rows[-1]["step"] == 0:
        return "untrained"
    history = pd.DataFrame(rows).assign(loss=[row["own_loss"] for row in rows])
    return verdict(of_one_run(history, tuple(part.begin for part in parts(trial.config))))
