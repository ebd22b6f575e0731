"""Fits of one law to many weightings of the same rows at once: a bootstrap is one call.

What is minimised is Chinchilla's loss, the sum of Huber's function of residuals of log quality
(Hoffmann et al. 2022, appendix D.3), but not the way it was: their search stopped early, since
the loss was scaled down, and the parameters were rounded (Besiroglu et al. 2024). Here the
parameters that are linear are first solved for at every exponent of a grid (variable projection,
least squares), and all are refined together by ``descend``, which tests hold against L-BFGS.

Shapes: B fits at once, N rows, P parameters, S starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dasheng_lib.scaling.descend import Scale, descend, loss, solve
from dasheng_lib.scaling.forms import POWER, Array, Form

DELTA = 1e-3
ELEMENTS = 1 << 18  # of B x N at a time, about what a core's cache holds


@dataclass(frozen=True, eq=False)
class Fits:
    """B fits of one law.

    Attributes:
        form, log_x0: the law, and the middle of the data, where ``theta`` is counted from.
        theta_BP: what was searched for; ``parameters`` are the ones to print.
        loss_B: the summed loss that was reached.
    """

    form: Form
    log_x0: float
    theta_BP: Array
    loss_B: Array

    @property
    def parameters_BP(self) -> Array:
        """In the order of ``form.parameters``, unrounded."""
        return self.form.public(self.theta_BP, self.log_x0)

    def predict(self, x_N: Array) -> Array:
        """Values ``[B, N]`` at predictors ``[N]``."""
        return self.form.curve(self.theta_BP, np.log(x_N) - self.log_x0)[0]


def fit_form(
    form: Form, x_N: Array, y_N: Array, *, scale: Scale = "log", delta: float = DELTA
) -> Fits:
    """The best fit of one law to all rows (B = 1), refined from every start.

    Args:
        form: see ``forms``.
        x_N: predictors, above 0.
        y_N: quality; above 0 for residuals of logs.
        scale: what a residual is: of ``log y`` (relative) or of ``y`` ("raw").
        delta: of Huber's function, in units of the residual; infinite for least squares.

    Raises:
        ValueError: lengths differ, or a value is not finite or not above 0 where it must be.
    """
    x_N, y_N = _checked(x_N, y_N, scale)
    log_x0 = float(np.log(x_N).mean())
    t_N, y_1N = np.log(x_N) - log_x0, y_N[None]
    starts_SP = _starts(form, t_N, y_1N, np.ones_like(y_1N), scale)[:, 0]
    y_SN = np.repeat(y_1N, len(starts_SP), axis=0)
    how = {"scale": scale, "delta": delta, "steps": 2000, "tolerance": 1e-14}
    theta_SP, loss_S = descend(form, t_N, y_SN, np.ones_like(y_SN), starts_SP, **how)
    best = int(np.argmin(loss_S))
    return Fits(form, log_x0, theta_SP[best : best + 1], loss_S[best : best + 1])


def fit_weighted(
    form: Form,
    x_N: Array,
    y: Array,
    w_BN: Array,
    *,
    scale: Scale = "log",
    delta: float = DELTA,
    around: Fits | None = None,
) -> Fits:
    """One law fitted under B weightings of the rows: resamples, or all rows but a held-out group.

    Each is refined from the best of all starts. With a small delta one in a hundred still creeps
    along a crease when it is stopped, up to a bootstrap deviation away; ends of intervals move by
    a hundredth of one.

    Args:
        y: ``[N]``, or ``[B, N]`` where quality itself was resampled.
        w_BN: how often each row counts; rows of weight 0 do not matter at all.
        around: another start for all, such as the fit of all rows; its ``log_x0`` is kept.

    Raises:
        ValueError: as :func:`fit_form`.
    """
    y_BN = np.atleast_2d(y)
    x_N, _ = _checked(x_N, y_BN, scale)
    log_x0 = around.log_x0 if around else float(np.log(x_N).mean())
    t_N = np.log(x_N) - log_x0
    y_BN = np.broadcast_to(y_BN, w_BN.shape)
    parts = []
    for rows in _chunks(*w_BN.shape):
        y_part, w_part = y_BN[rows], w_BN[rows]
        starts = list(_starts(form, t_N, y_part, w_part, scale))
        if around:
            starts.append(np.broadcast_to(around.theta_BP, starts[0].shape))
        first = [loss(form, t_N, y_part, w_part, theta, scale, delta)[0] for theta in starts]
        best_BP = np.stack(starts)[np.argmin(first, axis=0), np.arange(len(w_part))]
        how = {"scale": scale, "delta": delta, "steps": 200, "tolerance": 1e-8}
        parts.append(descend(form, t_N, y_part, w_part, best_BP, **how))
    theta_BP, loss_B = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Fits(form, log_x0, theta_BP, loss_B)


def _checked(x_N: Array, y: Array, scale: Scale) -> tuple[Array, Array]:
    x_N, y = np.asarray(x_N, float), np.asarray(y, float)
    if x_N.ndim != 1 or y.shape[-1:] != x_N.shape or not len(x_N):
        raise ValueError(f"x is [N] and y as long, got {x_N.shape} and {y.shape}")
    if not (np.isfinite(x_N).all() and np.isfinite(y).all() and (x_N > 0).all()):
        raise ValueError("x and y are finite, and x is above 0")
    if scale == "log" and not (y > 0).all():
        raise ValueError("residuals of logs want a quality above 0; use scale='raw'")
    return x_N, y


def _chunks(B: int, N: int) -> list[slice]:
    step = max(1, ELEMENTS // N)
    return [slice(i, min(i + step, B)) for i in range(0, B, step)]


def _starts(form: Form, t_N: Array, y_BN: Array, w_BN: Array, scale: Scale) -> Array:
    """Least squares of what is linear, at each bend of the grid: [S, B, P]."""
    if form is POWER:  # linear in its logs
        floor = np.abs(y_BN).max() * 1e-6
        target, weight = np.log(np.maximum(y_BN, floor)), y_BN**2 if scale == "raw" else 1.0
    else:
        target, weight = y_BN, y_BN**-2.0 if scale == "log" else 1.0
    linear = len(form.parameters) - bool(form.bends)
    starts = []
    for bend in form.bends or (None,):
        fixed = [] if bend is None else [bend]
        slopes = form.curve(np.array([[0.0] * linear + fixed]), t_N)[1]
        design_NP = np.concatenate(slopes[:linear]).T
        theta_BP = _least_squares(design_NP, target, w_BN * weight)
        if scale == "log" and linear > 1 and form is not POWER:
            theta_BP = _above_zero(design_NP, theta_BP)
        starts.append(np.column_stack([theta_BP, *(np.full(len(w_BN), b) for b in fixed)]))
    return np.stack(starts)


def _above_zero(design_NP: Array, theta_BP: Array) -> Array:
    """The same middle, and a slope no steeper than leaves every value above 0."""
    middle_B = theta_BP[:, 0] = np.maximum(theta_BP[:, 0], 1e-6)
    low_B = (theta_BP @ design_NP.T).min(1)
    steep = low_B < 0.05 * middle_B
    theta_BP[steep, 1] *= (0.95 * middle_B / (middle_B - low_B))[steep]
    return theta_BP


def _least_squares(X_NP: Array, y_BN: Array, w_BN: Array) -> Array:
    N, P = X_NP.shape
    products_NP = (X_NP[:, :, None] * X_NP[:, None, :]).reshape(N, -1)
    gram_BPP = (w_BN @ products_NP).reshape(-1, P, P)
    return solve(gram_BPP, (w_BN * y_BN) @ X_NP, 1e-12)
