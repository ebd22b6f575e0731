"""What heareval's probe tries, and what each fold serves for."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from dasheng_lib.book.figures.plots import SMALL, WIDTH
from dasheng_lib.evaluation.probes.mlp.probe import GRID
from dasheng_lib.tasks.task import k_folds

PARTS = {
    "train": ("#DDDDDD", "#333333"),
    "valid": ("#E69F00", "#000000"),
    "test": ("#009E73", "#000000"),
}


def protocol(folds: int = 5) -> tuple[int, int, int]:
    """Two charts: the grid of settings with the order they are tried in, and the folds.

    Returns:
        How many settings are tried, kinds of network, and learning rates.
    """
    _, (top, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.4))
    rates = sorted({point.lr for point in GRID})
    kinds = [(layers, init) for layers in (1, 2) for init in ("xavier_uniform", "xavier_normal")]
    tried = {(kinds.index((p.layers, p.init)), rates.index(p.lr)): n for n, p in enumerate(GRID, 1)}
    for y, x in np.ndindex(len(kinds), len(rates)):
        number = tried.get((y, x))
        look = (str(number), "#0072B2", "white") if number else ("never", "#EEEEEE", "#666666")
        _field(top, x, y, *look)
    top.set_xticks(range(len(rates)), [f"{lr:g}" for lr in rates])
    names = [f"{layers} layer{'s' * (layers > 1)}, {init[7:]}" for layers, init in kinds]
    top.set_yticks(range(len(kinds)), names)
    top.set(xlabel="learning rate", xlim=(-0.5, len(rates) - 0.5), ylim=(len(kinds) - 0.5, -0.5))
    top.set_title("sixteen declared settings, eight tried, in this order")
    for y, fold in enumerate(k_folds([f"{i + 1}" for i in range(folds)])):
        for part, look in PARTS.items():
            for split in getattr(fold, part):
                _field(below, int(split) - 1, y, part, *look)
        below.text(folds - 0.4, y, "all eight" if y == 0 else "the winner", va="center", size=SMALL)
    below.set_xticks(range(folds), [f"fold {i + 1}" for i in range(folds)])
    below.set_yticks([])
    below.set(xlim=(-0.5, folds + 0.6), ylim=(folds - 0.5, -0.5))
    below.set_title("what each fold serves for, and which settings are trained")
    for ax in (top, below):
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return len(tried), len(kinds), len(rates)


def _field(ax: Axes, x: float, y: float, text: str, colour: str, ink: str) -> None:
    """A field of a chart, with a word in it."""
    ax.add_patch(plt.Rectangle((x - 0.47, y - 0.44), 0.94, 0.88, color=colour))
    ax.text(x, y, text, ha="center", va="center", color=ink, size=SMALL)
