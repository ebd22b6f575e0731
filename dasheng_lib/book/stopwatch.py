"""Training steps, timed on this machine, and a matrix product as what it could reach at best."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch

from dasheng_lib.objectives.mae import MaskedAutoencoder
from dasheng_lib.train.loop import pretrain
from dasheng_lib.train.schedule import TrainConfig


def product_flops(width: int = 2048) -> float:
    """Operations a second of a square matrix product."""
    a, b = torch.randn(2, width, width)
    a @ b  # warm
    began = time.perf_counter()
    a @ b
    return 2 * width**3 / (time.perf_counter() - began)


def timed_steps(size: str, clips: int, samples: int, steps: int) -> pd.DataFrame:
    """Steps of a masked autoencoder on noise, a row each after one to warm up.

    Args:
        size: of its encoder.
        clips, samples: of a batch; its clips and their length.

    Returns:
        ``seconds`` of the step, and ``before`` and ``after``: :func:`product_flops` around it.
    """
    torch.manual_seed(0)
    model = MaskedAutoencoder.preset(size)
    wave = (0.1 * np.random.default_rng(0).standard_normal((clips, samples))).astype(np.float32)
    rows, product, began = [], product_flops(), time.perf_counter()
    for _ in pretrain(model, lambda step: wave, TrainConfig(steps=steps + 1)):
        seconds, before = time.perf_counter() - began, product
        product = product_flops()
        rows.append({"seconds": seconds, "before": before, "after": product})
        began = time.perf_counter()
    return pd.DataFrame(rows[1:])
