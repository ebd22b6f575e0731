"""LiDAR: along how many directions clips differ by more than their views do.

Shapes: N clips, q views of each, D columns.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from dasheng_lib.common.tensors import view
from dasheng_lib.rank.effective import effective_rank
from dasheng_lib.rank.moments import PART, ROUNDING, Moments

DELTA = 1e-4


def lidar(views_NqD: Tensor | np.ndarray, delta: float = DELTA) -> float:
    """exp(entropy) of the eigenvalues of S_w^-1/2 S_b S_w^-1/2, between 1 and min(N - 1, D).

    S_b is the covariance of the clips' mean views, S_w the mean covariance of the views of a
    clip. The mean of q views still carries 1/q of S_w, which adds 1/q to every eigenvalue; ten
    views are within 1 % of fifty in the paper.

    Args:
        views_NqD: embeddings of q different views (crops, masks, noise) of each clip, q >= 2.
        delta: ridge on S_w, as a share of its mean eigenvalue. The paper adds a constant, which
            would make the result depend on the scale of the embeddings.

    Returns:
        NaN where the views of no clip differ; 0 where the clips do not. With no more clips than
        columns the rank is bounded by the clips, and the number says little.

    Raises:
        ValueError: not [N, q, D] with two clips and two views, or not finite.

    Source: Thilak et al. 2024; our delta is relative, and there is no epsilon.
    """
    views_NqD = view(views_NqD).detach()
    if views_NqD.ndim != 3 or min(views_NqD.shape[:2]) < 2:
        raise ValueError(f"two views of two clips at least, [N, q, D], not {[*views_NqD.shape]}")
    N, q, D = views_NqD.shape
    clips, within = Moments(D), Moments(D)
    for part_nqD in views_NqD.split(max(PART // q, 1)):
        part_nqD = part_nqD.to(torch.float64)
        mean_nD = part_nqD.mean(1)
        within.add((part_nqD - mean_nD[:, None]).flatten(0, 1))
        clips.add(mean_nD)
    if clips.spread() == 0:
        return 0.0
    if within.spread() <= ROUNDING * clips.rms():  # means of equal views are rounded
        return float("nan")
    between_DD, within_DD = clips.scatter_DD / N, within.scatter_DD / (N * q)
    within_DD.diagonal().add_(delta * within_DD.trace() / D)
    values = scipy.linalg.eigh(between_DD.numpy(), within_DD.numpy(), eigvals_only=True)
    values[values < values[-1] * D * np.finfo(np.float64).eps] = 0.0  # rounding of the largest
    return effective_rank(torch.from_numpy(values))
