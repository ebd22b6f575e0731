"""Simulated sweeps of the shape of ``book/results/sweep.csv``, with a law that is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

SHARES = np.array([1 / 28, 1 / 14, 1 / 7, 2 / 7, 3 / 7, 1.0])
TASKS = {
    "linear:number": "speech",
    "linear:vowel": "speech",
    "linear:fsdd": "speech",
    "linear:instrument": "music",
    "linear:drum": "music",
    "linear:event": "environment",
    "linear:effect": "environment",
    "linear:esc10": "environment",
}
# Runs of each arm, and by how many logs their rank lies off the base point's.
ARMS = {
    "base": (3, (0, 0)),
    "mask": (8, (-2.2, 0.3)),
    "mask-small": (8, (-2.4, 0.0)),
    "width": (6, (-1.5, 0.7)),
    "depth": (6, (-0.7, 0.3)),
    "data": (6, (-1.2, 0.1)),
    "clip": (5, (-0.5, 0.3)),
    "steps": (6, (-0.8, 0.5)),
    "collapse": (4, (-3.0, -1.5)),
}


def power(rank, a=0.2, b=0.25):
    return a * rank**b


def sweep(
    seed: int = 0,
    law: Callable[[np.ndarray], np.ndarray] = power,
    squeeze: float = 1.0,
    run_sd: float = 0.02,
    row_sd: float = 0.01,
    rank_sd: float = 0.02,
) -> pd.DataFrame:
    """52 runs of six checkpoints; quality is ``law(rankme)`` times a run's and a row's luck.

    Args:
        squeeze: 1 for a span of rank of about x 50; in logs it shrinks with it.
        run_sd, row_sd: deviation of the log of quality, of each run and of each of its rows.
        rank_sd: deviation of the log of rank, of each row.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for arm, (count, (low, high)) in ARMS.items():
        for i in range(count):
            at = low + (high - low) * i / max(count - 1, 1)
            # Base runs differ by their seeds alone.
            own = rng.normal(0, 0.02)
            luck = rng.normal(0, run_sd)
            steps = 700
            width = {"width": 20 * 2**i, "mask-small": 96}.get(arm, 192)
            if arm == "steps":
                steps = 160 * 2**i
            for share in SHARES:
                grown = 0.35 * np.log(share)
                rank = 60 * np.exp(squeeze * (at + own + grown) + rng.normal(0, rank_sd))
                good = law(rank) * np.exp(luck + rng.normal(0, row_sd))
                row = {
                    "run": f"{arm}-{i}",
                    "family": "dasheng",
                    "factor": arm,
                    "params": width**2 * 48,
                    "width": width,
                    "depth": 2 * i + 1 if arm == "depth" else 4,
                    "mask_ratio": 0.1 + 0.1 * i if arm.startswith("mask") else 0.75,
                    "data_hours": 5.0 * 0.5**i if arm == "data" else 10.0,
                    "clip_seconds": 0.3 * 2**i if arm == "clip" else 2.0,
                    "lr": 0.001 * 3 ** (i + 1) if arm == "collapse" else 0.001,
                    "steps": steps,
                    "seed": i if arm == "base" else 0,
                    "step": round(share * steps),
                    "flops": 1e9 * width**2 * share * steps,
                    "rankme": rank,
                    "rankme_centred": rank * 0.8,
                    "participation_ratio": rank**0.7 * np.exp(rng.normal(0, 0.05)),
                    "loss": 0.9 - 0.1 * share + rng.normal(0, 0.01),
                }
                tasks = np.exp(rng.normal(0, row_sd, len(TASKS)))
                row |= dict(zip(TASKS, good * tasks, strict=True))
                rows.append(row)
    table = pd.DataFrame(rows)
    for domain in ("speech", "music", "environment"):
        columns = [name for name, of in TASKS.items() if of == domain]
        table[f"quality_{domain}"] = table[columns].mean(axis=1)
    domains = ["quality_speech", "quality_music", "quality_environment"]
    table["quality"] = table[domains].mean(axis=1)
    return table
