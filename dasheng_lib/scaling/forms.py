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
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Form:
    """One law.

    Attributes:
        name, formula: for people; ``R`` is the predictor.
        parameters: names, in the order of ``public``.
        bends: where the search for the exponent starts; none if it has none that is searched.
        bounds: the exponent stays between.
        curve: of ``theta [B, P]`` and ``t [N]`` the values ``[B, N]`` and slopes ``P x [B, N]``.
        public: of ``theta [B, P]`` and ``log x0`` the printed parameters ``[B, P]``.
        value: of the printed parameters and ``x [N]`` the values ``[N]``.
    """

    name: str
    formula: str
    parameters: tuple[str, ...]
    bends: tuple[float, ...]
    bounds: tuple[float, float]
    curve: Callable[[Array, Array], tuple[Array, tuple[Array, ...]]]
    public: Callable[[Array, float], Array]
    value: Callable[..., Array]

    def predict(self, parameters: dict[str, float], x: Array) -> Array:
        """Values at ``x`` of the printed parameters, by name."""
        return self.value(np.asarray(x, float), *(parameters[name] for name in self.parameters))


def bent(t: Array, bend: Array | float) -> Array:
    """``(exp(bend t) - 1) / bend``, and ``t`` where the bend is 0."""
    return np.expm1(bend * t) / bend if np.any(bend) else t


def _power_curve(theta_BP: Array, t_N: Array) -> tuple[Array, tuple[Array, ...]]:
    f = np.exp(theta_BP[:, :1] + theta_BP[:, 1:] * t_N)
    return f, (f, f * t_N)


def _constant_curve(theta_BP: Array, t_N: Array) -> tuple[Array, tuple[Array, ...]]:
    f = theta_BP + 0 * t_N
    return f, (np.ones_like(f),)


def _logarithmic_curve(theta_BP: Array, t_N: Array) -> tuple[Array, tuple[Array, ...]]:
    f = theta_BP[:, :1] + theta_BP[:, 1:] * t_N
    return f, (np.ones_like(f), np.broadcast_to(t_N, f.shape))


def _linear_curve(theta_BP: Array, t_N: Array) -> tuple[Array, tuple[Array, ...]]:
    return _logarithmic_curve(theta_BP, bent(t_N, 1.0))


def _bent_curve(theta_BP: Array, t_N: Array) -> tuple[Array, tuple[Array, ...]]:
    m, s, bend = theta_BP[:, :1], theta_BP[:, 1:2], theta_BP[:, 2:]
    u = bent(t_N, bend)
    return m + s * u, (np.ones_like(u), u, s * (t_N * (bend * u + 1) - u) / bend)


def _columns(*columns: Array) -> Array:
    return np.stack(columns, axis=-1)


def _offset_public(theta_BP: Array, log_x0: float) -> Array:
    m, s, bend = theta_BP.T
    return _columns(m - s / bend, s / bend * np.exp(-bend * log_x0), bend)


def _saturating_public(theta_BP: Array, log_x0: float) -> Array:
    c, a, bend = _offset_public(theta_BP, log_x0).T
    return _columns(c, -a, -bend)


# Past 4 a curve is flat but for its last points; under 0.01 it is the logarithm.
_BENDS = (0.05, 0.15, 0.3, 0.6, 1.0, 1.7, 2.8)
_BOUNDS = (0.01, 4.0)

POWER = Form(
    name="power",
    formula="a R^b",
    parameters=("a", "b"),
    bends=(),
    bounds=(-np.inf, np.inf),
    curve=_power_curve,
    public=lambda theta, log_x0: _columns(np.exp(theta[:, 0] - theta[:, 1] * log_x0), theta[:, 1]),
    value=lambda x, a, b: a * x**b,
)
OFFSET = Form(
    name="offset",
    formula="c + a R^b",
    parameters=("c", "a", "b"),
    bends=_BENDS,
    bounds=_BOUNDS,
    curve=_bent_curve,
    public=_offset_public,
    value=lambda x, c, a, b: c + a * x**b,
)
SATURATING = Form(
    name="saturating",
    formula="c - a R^-b",
    parameters=("c", "a", "b"),
    bends=tuple(-bend for bend in _BENDS),
    bounds=(-_BOUNDS[1], -_BOUNDS[0]),
    curve=_bent_curve,
    public=_saturating_public,
    value=lambda x, c, a, b: c - a * x**-b,
)
LOGARITHMIC = Form(
    name="logarithmic",
    formula="a + b log R",
    parameters=("a", "b"),
    bends=(),
    bounds=(-np.inf, np.inf),
    curve=_logarithmic_curve,
    public=lambda theta, log_x0: _columns(theta[:, 0] - theta[:, 1] * log_x0, theta[:, 1]),
    value=lambda x, a, b: a + b * np.log(x),
)
LINEAR = Form(
    name="linear",
    formula="a + b R",
    parameters=("a", "b"),
    bends=(),
    bounds=(-np.inf, np.inf),
    curve=_linear_curve,
    public=lambda theta, log_x0: _columns(theta[:, 0] - theta[:, 1], theta[:, 1] * np.exp(-log_x0)),
    value=lambda x, a, b: a + b * x,
)
CONSTANT = Form(
    name="constant",
    formula="a",
    parameters=("a",),
    bends=(),
    bounds=(-np.inf, np.inf),
    curve=_constant_curve,
    public=lambda theta, log_x0: theta,
    value=lambda x, a: np.full_like(x, a),
)

FORMS = (POWER, OFFSET, SATURATING, LOGARITHMIC, LINEAR, CONSTANT)
