"""Numbers that are said to tell, without labels, how good embeddings are: one interface.

``measure(Z_ND)`` gives them all; ``MEASURES["nesum"]`` says what one of them is.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from dasheng_lib.common.tensors import view
from dasheng_lib.rank.cards import CARDS, Better, Measure
from dasheng_lib.rank.sample import Sample

__all__ = ["MEASURES", "Better", "Measure", "Sample", "measure"]

MEASURES: dict[str, Measure] = {card.name: card for card in CARDS}


def measure(
    Z_ND: Tensor | np.ndarray,
    names: Iterable[str] | None = None,
    views_NqD: Tensor | np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Measures of embeddings by name.

    Args:
        Z_ND: one row a clip, of any float type.
        names: which; by default all. Those that need views are NaN by default if there are none.
        views_NqD: embeddings of q views (crops, masks, noise) of each of some clips.
        seed: of k-means.

    Returns:
        A number for each name, none left out; NaN where the rows do not define it.

    Raises:
        ValueError: an unknown name, a name that needs views without any, a wrong shape, no rows,
            or a value that is not finite.
    """
    wanted = list(MEASURES if names is None else names)
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown:
        raise ValueError(f"no measure {unknown[0]!r}: choose among {', '.join(MEASURES)}")
    viewless = [name for name in wanted if views_NqD is None and MEASURES[name].needs_views]
    if viewless and names is not None:
        raise ValueError(f"{viewless[0]} needs several views of each clip: give views_NqD")
    Z_ND = view(Z_ND).detach().cpu()
    if Z_ND.ndim != 2 or not Z_ND.numel():
        raise ValueError(f"rows are a matrix with at least one row, got {[*Z_ND.shape]}")
    if not Z_ND.isfinite().all():
        raise ValueError("an embedding is not finite: find it before you measure")
    sample = Sample(Z_ND, None if views_NqD is None else view(views_NqD).detach().cpu(), seed)
    nan = float("nan")
    return {name: nan if name in viewless else MEASURES[name].function(sample) for name in wanted}
