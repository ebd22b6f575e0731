"""The descent behind every fit: many problems at once, each a sum of Huber's function.

At a delta of 0.001 nearly every residual counts by its size alone, so that the loss has creases
on which L-BFGS creeps. Each step here takes the better of two: reweighted Gauss-Newton, which
descends from anywhere, and Newton's with only those rows that lie within delta, which lands on the
crease.

Shapes: B fits at once, N rows, P parameters.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from dasheng_lib.scaling.forms import Array, Form

Scale = Literal["log", "raw"]
Slopes = tuple[Array, ...]
TINY = 1e-12  # predictions are cut here before a log


def huber(r: Array, delta: float) -> Array:
    """Huber's function: ``r^2 / 2`` within delta, straight beyond; delta may be infinite."""
    size = np.abs(r)
    inner = np.minimum(size, delta)
    return inner * (size - inner / 2)


def residuals(y: Array, f: Array, scale: Scale, floor: float = TINY) -> Array:
    """``log y - log f`` or ``y - f``; predictions under ``floor`` have no log and count as it."""
    return np.log(y) - np.log(np.maximum(f, floor)) if scale == "log" else y - f


def loss(
    form: Form, t_N: Array, y_BN: Array, w_BN: Array, theta_BP: Array, scale: Scale, delta: float
) -> tuple[Array, Array, Slopes]:
    """Summed loss [B], residuals [B, N], and slopes of the curve on the scale of the residuals.

    Infinite where a law that has to have a log is at 0 or below, at a row of any weight.
    """
    f_BN, slopes = form.curve(theta_BP, t_N)
    seen_BN = w_BN > 0
    r_BN = np.where(seen_BN, residuals(y_BN, f_BN, scale), 0.0)
    loss_B = np.einsum("bn,bn->b", w_BN, huber(r_BN, delta))
    if scale == "log":
        loss_B = np.where(((f_BN <= 0) & seen_BN).any(1), np.inf, loss_B)
        slopes = tuple(slope / np.maximum(f_BN, TINY) for slope in slopes)
    return loss_B, r_BN, slopes


def descend(
    form: Form,
    t_N: Array,
    y_BN: Array,
    w_BN: Array,
    theta_BP: Array,
    *,
    scale: Scale,
    delta: float,
    steps: int,
    tolerance: float,
) -> tuple[Array, Array]:
    """Parameters and loss, from ``theta_BP`` downhill.

    A fit ends when a step gains less than ``tolerance`` of its loss, or nothing at any damping.

    Args:
        t_N: log x, from the middle of the data.
        y_BN, w_BN: quality and weight of each row, ``[B, N]``.
    """
    theta_BP = theta_BP.copy()
    damping_B = np.full(len(theta_BP), 1e-3)
    loss_B = np.full(len(theta_BP), np.inf)
    going = np.arange(len(theta_BP))
    for _ in range(steps):
        y, w, theta, damping = y_BN[going], w_BN[going], theta_BP[going], damping_B[going]
        before, r, slopes = loss(form, t_N, y, w, theta, scale, delta)
        best, after = theta.copy(), before.copy()
        for step in _steps(form, r, w, slopes, theta, delta, damping):
            new = theta + step
            if form.bends:
                new[:, 2] = np.clip(new[:, 2], *form.bounds)
            reached = loss(form, t_N, y, w, new, scale, delta)[0]
            better = reached < after
            best[better], after[better] = new[better], reached[better]
        moved = after < before
        theta_BP[going], loss_B[going] = best, after
        damping_B[going] = np.where(moved, damping * 0.2, np.maximum(damping, 1e-6) * 10)
        going = going[np.where(moved, before - after > tolerance * before, damping < 1e5)]
        if not len(going):
            break
    return theta_BP, loss_B


def _steps(
    form: Form, r_BN: Array, w_BN: Array, slopes: Slopes, theta_BP: Array, delta: float, damping_B
) -> tuple[Array, Array]:
    """The reweighted step and the one onto the crease."""
    within_BN = np.abs(r_BN) <= delta
    pull_BN = w_BN
    if delta < np.inf:
        pull_BN = w_BN * np.where(within_BN, 1.0, delta / np.maximum(np.abs(r_BN), delta))
    downhill_BP = np.stack([np.einsum("bn,bn->b", pull_BN * r_BN, s) for s in slopes], axis=1)
    bowl_BPP = _products(slopes, pull_BN)
    # The rest of the bowl keeps it solvable where fewer rows than parameters lie within.
    crease_BPP = _products(slopes, w_BN * within_BN) + 1e-3 * bowl_BPP
    if form.bends:  # at its bound the exponent stays, and the others go on without it
        stuck_B = (theta_BP[:, 2] <= form.bounds[0]) & (downhill_BP[:, 2] < 0)
        stuck_B |= (theta_BP[:, 2] >= form.bounds[1]) & (downhill_BP[:, 2] > 0)
        downhill_BP[stuck_B, 2] = 0
        for hessian in (bowl_BPP, crease_BPP):
            hessian[stuck_B, 2, :2] = hessian[stuck_B, :2, 2] = 0
    return solve(bowl_BPP, downhill_BP, damping_B), solve(crease_BPP, downhill_BP, damping_B)


def _products(slopes: Slopes, w_BN: Array) -> Array:
    """Weighted sums of products of slopes, ``[B, P, P]``."""
    P = len(slopes)
    out_BPP = np.empty((len(w_BN), P, P))
    for p in range(P):
        weighted = w_BN * slopes[p]
        for q in range(p, P):
            out_BPP[:, p, q] = out_BPP[:, q, p] = np.einsum("bn,bn->b", weighted, slopes[q])
    return out_BPP


def solve(A_BPP: Array, b_BP: Array, damping: Array | float) -> Array:
    """Solutions with a share of the diagonal added, which also keeps flat directions finite."""
    A_BPP = A_BPP.copy()
    diagonal = np.einsum("bpp->bp", A_BPP)
    diagonal *= 1 + np.reshape(damping, (-1, 1))
    diagonal += 1e-300 + 1e-14 * diagonal.max(1, keepdims=True)
    return np.linalg.solve(A_BPP, b_BP[..., None])[..., 0]
