"""The laws that quality might follow over effective rank, each with its parameters and its curve.

Inside, every law but the power law is one family, ``m + s u(t)`` with ``t = log x - log x0`` and
``u(t) = (exp(bend t) - 1) / bend``: bend 1 is linear, 0 logarithmic, above 0 a power law with an
offset, below 0 a saturating one. Around the middle ``x0`` of the data ``m`` and ``s`` hardly
depend on the bend, so that all of them are found from afar; ``a``, ``b``, ``c`` are worked out
afterwards and never rounded.

Shapes: B fits at once, N rows, P parameters of a law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dasheng_lib.scaling.fit import Array

Curve = tuple[Array, tuple[Array, ...]]  # values [B, N], and P slopes [B, N]


@dataclass(frozen=True)
class Form:
    """One law.

    Attributes:
        name, formula: for people; ``R`` is the predictor.
        parameters: names, in the order of ``public``.
        curve: values and slopes of ``theta [B, P]`` at ``t [N]``.
        public: of the columns of theta ``[B]`` and ``log x0`` the printed parameters, ``[B]`` each.
        bends: where the search for the exponent starts; none if it has none that is searched.
        bounds: the exponent stays between.
    """

    name: str
    formula: str
    parameters: tuple[str, ...]
    curve: Callable[[Array, Array], Curve]
    public: Callable[..., tuple[Array, ...]]
    bends: tuple[float, ...] = ()
    bounds: tuple[float, float] = (-np.inf, np.inf)


def _power(theta_BP: Array, t_N: Array) -> Curve:
    f = np.exp(theta_BP[:, :1] + theta_BP[:, 1:] * t_N)
    return f, (f, f * t_N)


def _constant(theta_BP: Array, t_N: Array) -> Curve:
    f = theta_BP + 0 * t_N
    return f, (np.ones_like(f),)


def _logarithmic(theta_BP: Array, t_N: Array) -> Curve:
    f = theta_BP[:, :1] + theta_BP[:, 1:] * t_N
    return f, (np.ones_like(f), np.broadcast_to(t_N, f.shape))


def _linear(theta_BP: Array, t_N: Array) -> Curve:
    return _logarithmic(theta_BP, np.expm1(t_N))


def _bent(theta_BP: Array, t_N: Array) -> Curve:
    m, s, bend = theta_BP[:, :1], theta_BP[:, 1:2], theta_BP[:, 2:]
    u = np.expm1(bend * t_N) / bend
    return m + s * u, (np.ones_like(u), u, s * (t_N * (bend * u + 1) - u) / bend)


# Past 4 a curve is flat but for its last points; under 0.01 it is the logarithm.
_BENDS = (0.05, 0.15, 0.3, 0.6, 1.0, 1.7, 2.8)
_BOUNDS = (0.01, 4.0)

POWER = Form("power", "a R^b", ("a", "b"), _power, lambda m, s, log_x0: (np.exp(m - s * log_x0), s))
OFFSET = Form(
    "offset",
    "c + a R^b",
    ("c", "a", "b"),
    _bent,
    lambda m, s, bend, log_x0: (m - s / bend, s / bend * np.exp(-bend * log_x0), bend),
    _BENDS,
    _BOUNDS,
)
SATURATING = Form(
    "saturating",
    "c - a R^-b",
    ("c", "a", "b"),
    _bent,
    lambda m, s, bend, log_x0: (m - s / bend, -s / bend * np.exp(-bend * log_x0), -bend),
    tuple(-bend for bend in _BENDS),
    (-_BOUNDS[1], -_BOUNDS[0]),
)
LOGARITHMIC = Form(
    "logarithmic", "a + b log R", ("a", "b"), _logarithmic, lambda m, s, log_x0: (m - s * log_x0, s)
)
LINEAR = Form(
    "linear", "a + b R", ("a", "b"), _linear, lambda m, s, log_x0: (m - s, s * np.exp(-log_x0))
)
CONSTANT = Form("constant", "a", ("a",), _constant, lambda m, log_x0: (m,))

FORMS = (POWER, OFFSET, SATURATING, LOGARITHMIC, LINEAR, CONSTANT)
