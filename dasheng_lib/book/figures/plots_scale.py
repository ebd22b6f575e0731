"""Days that a run takes, against how well its hardware is used."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import WIDTH

INKS = {"A100": "#0072B2", "H100": "#D55E00"}


def days(
    flops: Mapping[str, float],
    peak: Mapping[str, float],
    gpus: int,
    published: tuple[str, float, float],
) -> pd.DataFrame:
    """Days of a run against the share of the peak that a step reaches, a line a size and GPU.

    Args:
        flops: of the whole run, by size.
        peak: operations a second, by GPU.
        published: label, share and days of a star.

    Returns:
        What is drawn: a row a share in percent, a column a line.
    """
    curves = {}
    shares = np.linspace(0.1, 0.6, 60)
    fig, ax = plt.subplots(figsize=(WIDTH, 4))
    for (size, total), line in zip(flops.items(), ("-", "--", ":"), strict=True):
        for gpu, each in peak.items():
            needed = total / (gpus * each * shares) / 86_400
            name = f"{size}, {gpus} x {gpu}"
            ax.plot(100 * shares, needed, line, color=INKS[gpu], label=name)
            curves[name] = needed
    label, share, took = published
    ax.plot(100 * share, took, "k*", ms=11, label=label)
    ax.set(xlabel="share of the peak that a step reaches (%)", ylabel="days", yscale="log")
    fig.legend(loc="outside lower center", frameon=False, ncols=2)
    return pd.DataFrame(curves, pd.Index(100 * shares, name="share of the peak (%)"))
