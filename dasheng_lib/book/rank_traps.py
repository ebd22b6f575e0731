"""RankMe and numbers that are taken for it: of fewer rows, with an epsilon, from variances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dasheng_lib.rank import RankMe, effective_rank, rankme


def subsets(Z_ND: np.ndarray, sizes: list[int], draws: int, seed: int = 0) -> pd.DataFrame:
    """RankMe of random rows, ``plain`` and ``corrected`` by halves, a row a size ``n`` and draw."""
    rng, points = np.random.default_rng(seed), []
    for n in sizes:
        for _ in range(draws):
            order = rng.permutation(len(Z_ND))[:n]
            whole = rankme(Z_ND[order])
            halves = (rankme(Z_ND[order[: n // 2]]) + rankme(Z_ND[order[n // 2 :]])) / 2
            points.append({"n": n, "plain": whole, "corrected": 2 * whole - halves})
    return pd.DataFrame(points)


def with_epsilon(values_D: Tensor, epsilon: float) -> float:
    """RankMe of singular values, something added to every share so that no logarithm meets a 0."""
    p = values_D.numpy() / values_D.numpy().sum() + epsilon
    return float(np.exp(-(p * np.log(p)).sum()))


def variants(Z_ND: np.ndarray) -> dict[str, float]:
    """Seven numbers that are called effective rank, or could be taken for it."""
    ranks = RankMe(Z_ND.shape[1]).update(Z_ND)
    values_D = ranks.singular_values()
    variances_D = ranks.singular_values(centred=True).square()
    return {
        "RankMe as defined": ranks.compute(),
        "centred": ranks.compute(centred=True),
        "epsilon 1e-7": with_epsilon(values_D, 1e-7),
        "epsilon 1e-5": with_epsilon(values_D, 1e-5),
        "from variances": effective_rank(variances_D),
        "participation ratio": float(variances_D.sum() ** 2 / variances_D.square().sum()),
        "kept in bfloat16": rankme(torch.from_numpy(Z_ND).bfloat16()),
    }
