"""What a sweep will take, timed before it starts: a few real steps of every kind of run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from dasheng_lib.encoders.of_network import features_of
from dasheng_lib.evaluation.embed_batches import BATCH_SECONDS
from dasheng_lib.sweep.grid import Trial
from dasheng_lib.train.build import new_model
from dasheng_lib.train.loop import pretrain

JUDGED_SECONDS = 16_500  # audio that the judge of the desk sweep embeds at each step
PROBING = 12.0  # seconds of one core for its probes


def estimate(trials: Sequence[Trial], timed: int = 2) -> pd.DataFrame:
    """Seconds that each trial will take in one process with the threads of this one.

    Every distinct shape (task, size, batch, clip length, precision) is trained for ``timed`` steps
    on noise after one to warm up; judging is estimated from one embedded batch.

    Returns:
        Rows ``run, steps, judged, train_seconds, judge_seconds``.
    """
    known: dict[object, tuple[float, float]] = {}
    rows = []
    for trial in trials:
        config = trial.config
        brief = replace(config.train, steps=timed + 1, seed=0, lr=1e-4)
        shape = replace(config, keep=(), only_domain="", train=brief)
        if shape not in known:
            known[shape] = _timed(shape)
        step, embedding = known[shape]
        judged = len(trial.steps)
        rows.append(
            {
                "run": trial.run,
                "steps": config.train.steps,
                "judged": judged,
                "train_seconds": step * config.train.steps,
                "judge_seconds": judged * (embedding + PROBING),
            }
        )
    return pd.DataFrame(rows)


def _timed(config) -> tuple[float, float]:
    """Median seconds of a training step, and seconds to embed what the judge embeds."""
    model = new_model(config)
    rng = np.random.default_rng(0)
    wave = rng.standard_normal((config.batch, round(config.clip_seconds * 16_000)))
    wave = (0.1 * wave).astype(np.float32)
    seconds = [0.0, *(r.seconds for r in pretrain(model, lambda step: wave, config.train))]
    encoder = features_of(model.eval(), "timed")
    audio = torch.from_numpy(wave[:1, :16_000]).expand(int(BATCH_SECONDS), -1).contiguous()
    began = time.perf_counter()
    encoder.clips(audio)
    embedding = (time.perf_counter() - began) / audio.numel() * 16_000
    return float(np.median(np.diff(seconds)[1:])), embedding * JUDGED_SECONDS
