"""A spectrum to turn by hand, and what RankMe makes of it: the place of the rank slider.

``book/_static/rank_slider.js`` puts sliders there and computes what they ask for; without it, and
in a notebook, the table stands alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dasheng_lib.book.rank_traps import with_epsilon
from dasheng_lib.rank import effective_rank, rankme

if TYPE_CHECKING:
    from IPython.display import HTML

DECAYS = (0.0, 0.5, 1.0, 1.5, 2.0)
EPSILON = 1e-3
WIDTH = 64
DRAWS = 10


def rank_slider(seed: int) -> HTML:
    """The slider's place with its table inside.

    Args:
        seed: of the rows that the table is computed from; the slider draws its own.
    """
    from IPython.display import HTML

    return HTML(slider_html(seed))


def slider_html(seed: int) -> str:
    """The same as text."""
    heads = ("steepness", "all there is", f"from {WIDTH} rows", f"from {8 * WIDTH} rows")
    heads += (f"epsilon {EPSILON:g}",)
    head = "".join(f'<th scope="col">{words}</th>' for words in heads)
    body = "".join(
        f'<tr><th scope="row">{decay:g}</th>{"".join(f"<td>{v:.2f}</td>" for v in values)}</tr>'
        for decay, values in zip(DECAYS, table(seed), strict=True)
    )
    return (
        '<div class="rank-slider touch"><details open><summary>Some of it as a table</summary>'
        f"<table><caption>RankMe of spectra of width {WIDTH} whose k-th value is 1/k to the power "
        "of the steepness: all there is, from rows of a Gaussian cloud (means of "
        f"{DRAWS} draws), and with an epsilon added to every share.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details></div>"
    )


def table(seed: int) -> list[list[float]]:
    """RankMe for each of :data:`DECAYS`: exact, from D and 8 D rows (means), with an epsilon."""
    rng = np.random.default_rng(seed)
    normal_nND = rng.standard_normal((DRAWS, 8 * WIDTH, WIDTH))
    lines = []
    for decay in DECAYS:
        values_D = np.arange(1.0, WIDTH + 1) ** -decay
        few, many = (
            float(np.mean([rankme(Z_ND[:rows] * values_D) for Z_ND in normal_nND]))
            for rows in (WIDTH, 8 * WIDTH)
        )
        spectrum_D = torch.from_numpy(values_D)
        lines.append([effective_rank(spectrum_D), few, many, with_epsilon(spectrum_D, EPSILON)])
    return lines
