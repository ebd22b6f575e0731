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

from dasheng_lib.scaling.descend import Problems, descend, log_residuals, solve
from dasheng_lib.scaling.fit import Array, Fit
from dasheng_lib.scaling.forms import POWER, Form

ELEMENTS = 1 << 18  # of B x N at a time, about what a core's cache holds


@dataclass(frozen=True, eq=False)
class Curves:
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
        return np.stack(self.form.public(*self.theta_BP.T, self.log_x0), axis=-1)

    def predict(self, x_N: Array) -> Array:
        """Values ``[B, N]`` at predictors ``[N]``."""
        return self.form.curve(self.theta_BP, np.log(x_N) - self.log_x0)[0]

    def r2(self, x_N: Array, y_N: Array) -> float:
        """Share of the variance of log quality that the first fit explains."""
        unexplained = (log_residuals(y_N, self.predict(x_N)[0]) ** 2).sum()
        log_N = np.log(y_N)
        return float(1 - unexplained / ((log_N - log_N.mean()) ** 2).sum())


def fit_form(form: Form, x_N: Array, y_N: Array, delta: float = Fit.delta) -> Curves:
    """The best fit of one law to all rows (B = 1), refined from every start.

    Args:
        x_N, y_N: predictors and quality, above 0.
        delta: of Huber's function of ``log y``; infinite for least squares.

    Raises:
        ValueError: lengths differ, or a value is not finite or not above 0.
    """
    x_N, y_N = _checked(x_N, y_N)
    log_x0 = float(np.log(x_N).mean())
    one = Problems(form, np.log(x_N) - log_x0, y_N[None], np.ones((1, len(y_N))), delta)
    starts_SP = _starts(one)[:, 0]
    theta_SP, loss_S = descend(one.some(np.zeros(len(starts_SP), int)), starts_SP, 2000, 1e-14)
    best = int(np.argmin(loss_S))
    return Curves(form, log_x0, theta_SP[best : best + 1], loss_S[best : best + 1])


def fit_weighted(around: Curves, x_N: Array, y: Array, w_BN: Array, delta: float = Fit.delta):
    """One law fitted under B weightings of the rows: resamples, or all rows but a held-out group.

    Each is refined from the best of all starts. With a small delta one in a hundred still creeps
    along a crease when it is stopped, up to a bootstrap deviation away; ends of intervals move by
    a hundredth of one.

    Args:
        around: the fit to all rows, another start for each.
        y: ``[N]``, or ``[B, N]`` where quality itself was resampled.
        w_BN: how often each row counts; rows of weight 0 do not matter at all.

    Raises:
        ValueError: as :func:`fit_form`.
    """
    x_N, y = _checked(x_N, y)
    t_N = np.log(x_N) - around.log_x0
    every = Problems(around.form, t_N, np.broadcast_to(y, w_BN.shape), w_BN, delta)
    parts = []
    step = max(1, ELEMENTS // len(x_N))
    for first in range(0, len(w_BN), step):
        some = every.some(slice(first, first + step))
        starts = _starts(some)
        starts = np.concatenate([starts, np.broadcast_to(around.theta_BP, (1, *starts[0].shape))])
        losses = [some.loss(theta)[0] for theta in starts]
        best_BP = starts[np.argmin(losses, axis=0), np.arange(len(some.w_BN))]
        parts.append(descend(some, best_BP, 200, 1e-8))
    theta_BP, loss_B = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Curves(around.form, around.log_x0, theta_BP, loss_B)


def _checked(x_N: Array, y: Array) -> tuple[Array, Array]:
    x_N, y = np.asarray(x_N, float), np.asarray(y, float)
    if x_N.ndim != 1 or y.shape[-1:] != x_N.shape or not len(x_N):
        raise ValueError(f"x is [N] and y as long, got {x_N.shape} and {y.shape}")
    for values in (x_N, y):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError("x and y are finite and above 0")
    return x_N, y


def _starts(problems: Problems) -> Array:
    """Least squares of what is linear, at each bend of the grid: [S, B, P]."""
    form, y_BN = problems.form, problems.y_BN
    if form is POWER:  # linear in its logs
        target, w_BN = np.log(np.maximum(y_BN, y_BN.max() * 1e-6)), problems.w_BN
    else:
        target, w_BN = y_BN, problems.w_BN * y_BN**-2.0
    linear = len(form.parameters) - bool(form.bends)
    starts = []
    for bend in form.bends or (None,):
        fixed = [] if bend is None else [bend]
        slopes = form.curve(np.array([[0.0] * linear + fixed]), problems.t_N)[1]
        design_NP = np.concatenate(slopes[:linear]).T
        theta_BP = _least_squares(design_NP, target, w_BN)
        if linear > 1 and form is not POWER:
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
