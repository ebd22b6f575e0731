"""Interventions on fixed embeddings: what moves their spectrum and leaves the encoder alone.

Each is an affine map fitted on unlabelled rows, ``whiten(Z_ND)(Z_ND)``, so that rows of other
clips go through the very same map. Rescaling (of directions or of columns) can be undone by a
linear map and so takes nothing away that a linear classifier could use; dropping directions does.

What is done to principal components is turned back to the columns as they were (as ZCA does, the
whitening that stays closest to them: Kessy et al. 2018). In columns that are components a probe
that standardises would whiten, whatever the intervention was.

Shapes: N rows (clips), D columns, K components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dasheng_lib.common.arrays import numbers
from dasheng_lib.common.errors import UserError

AS_IS = "as is"
# A direction whose deviation is below this share of the largest is the rounding of float32 rows.
ROUNDING = 1e-6
KINDS = {
    AS_IS: "control",
    "rotate": "control",
    "centre": "rescale",
    "standardise": "rescale",
    "scale": "rescale",
    "flatten": "rescale",
    "whiten": "rescale",
    "sharpen": "rescale",
    "drop": "drop leading",
    "keep": "keep leading",
}
# Those that the linear probe, which standardises, cannot see.
UNSEEN_BY_LINEAR = ("centre", "standardise", "scale")


@dataclass(frozen=True, eq=False)
class Affine:
    """``affine(Z_ND)`` is ``(Z_ND - shift_D) @ matrix_DD``, float32 as embeddings are.

    Attributes:
        shift_D, matrix_DD: float64.
    """

    shift_D: np.ndarray
    matrix_DD: np.ndarray

    def __call__(self, Z_ND: np.ndarray) -> np.ndarray:
        return ((Z_ND - self.shift_D) @ self.matrix_DD).astype(np.float32)


def fit(name: str, Z_ND: np.ndarray, seed: int = 0) -> Affine:
    """An intervention by name, fitted on unlabelled rows.

    Args:
        name: ``"as is"``, ``"centre"``, ``"standardise"``, ``"scale:SPREAD"``, ``"rotate"``,
            ``"flatten:POWER"``, ``"whiten"`` (flatten:1), ``"sharpen"`` (flatten:-1), ``"drop:K"``
            or ``"keep:K"``.
        Z_ND: float rows, N at least 2.
        seed: of ``scale`` and ``rotate``, which are drawn.

    Raises:
        UserError: no such intervention, or it leaves no direction.
        ValueError: rows are no matrix of numbers.
    """
    Z_ND = numbers(Z_ND, "rows", 2)
    if not Z_ND.size:
        raise ValueError(f"rows are a matrix with rows and columns, got {[*Z_ND.shape]}")
    word, _, number = name.partition(":")
    rng = np.random.default_rng(seed)
    try:
        if word in ("scale", "flatten"):
            value = float(number)
            return scale(Z_ND, value, rng) if word == "scale" else flatten(Z_ND, value)
        if word in ("drop", "keep"):
            return (drop if word == "drop" else keep)(Z_ND, int(number))
    except ValueError as error:
        raise UserError(f"{name!r} cannot be done: {error}.") from error
    plain = {
        AS_IS: lambda: Affine(np.zeros(Z_ND.shape[1]), np.eye(Z_ND.shape[1])),
        "centre": lambda: centre(Z_ND),
        "standardise": lambda: standardise(Z_ND),
        "rotate": lambda: rotate(Z_ND, rng),
        "whiten": lambda: flatten(Z_ND, 1.0),
        "sharpen": lambda: flatten(Z_ND, -1.0),
    }
    if name not in plain:
        raise UserError(
            f"There is no intervention {name!r}: choose {', '.join(plain)}, scale:SPREAD, "
            "flatten:POWER, drop:K or keep:K."
        )
    return plain[name]()


def kind(name: str) -> str:
    """What an intervention does: "control", "rescale", "drop leading" or "keep leading"."""
    return KINDS[name.partition(":")[0]]


def centre(Z_ND: np.ndarray) -> Affine:
    """Subtract the mean row."""
    return Affine(_mean(Z_ND), np.eye(Z_ND.shape[1]))


def standardise(Z_ND: np.ndarray) -> Affine:
    """Mean 0 and deviation 1 in each column; a constant column stays 0."""
    deviation_D = Z_ND.std(0, dtype=np.float64)
    return Affine(_mean(Z_ND), np.diag(1 / np.where(deviation_D > 0, deviation_D, 1)))


def scale(Z_ND: np.ndarray, spread: float, rng: np.random.Generator) -> Affine:
    """Each column times a factor of its own, log-normal: its log has deviation ``spread``."""
    D = Z_ND.shape[1]
    return Affine(np.zeros(D), np.diag(np.exp(spread * rng.standard_normal(D))))


def rotate(Z_ND: np.ndarray, rng: np.random.Generator) -> Affine:
    """A random rotation (or reflection) about the origin, uniform over all: angles and spectrum
    stay, columns do not.

    Source: Stewart 1980 (QR of a normal matrix, signs from the diagonal).
    """
    D = Z_ND.shape[1]
    Q_DD, R_DD = np.linalg.qr(rng.standard_normal((D, D)))
    return Affine(np.zeros(D), Q_DD * np.sign(np.diag(R_DD)))


def flatten(Z_ND: np.ndarray, power: float) -> Affine:
    """Principal components, each divided by its deviation to the ``power``.

    1 whitens (covariance 1), 0 centres, -1 squares the spectrum. Directions that are rounding are
    left out.
    """
    mean_D, deviation_K, axes_DK = _components(Z_ND)
    return Affine(mean_D, (axes_DK * deviation_K**-power) @ axes_DK.T)


def drop(Z_ND: np.ndarray, k: int) -> Affine:
    """The centred rows without their ``k`` leading components.

    Raises:
        ValueError: k is below 0, or nothing is left.
    """
    mean_D, deviation_K, axes_DK = _components(Z_ND)
    if not 0 <= k < len(deviation_K):
        raise ValueError(f"of {len(deviation_K)} components {k} cannot be dropped")
    return Affine(mean_D, axes_DK[:, k:] @ axes_DK[:, k:].T)


def keep(Z_ND: np.ndarray, k: int) -> Affine:
    """The centred rows with nothing but their ``k`` leading components.

    Raises:
        ValueError: there are not as many.
    """
    mean_D, deviation_K, axes_DK = _components(Z_ND)
    if not 1 <= k <= len(deviation_K):
        raise ValueError(f"of {len(deviation_K)} components {k} cannot be kept")
    return Affine(mean_D, axes_DK[:, :k] @ axes_DK[:, :k].T)


def _mean(Z_ND: np.ndarray) -> np.ndarray:
    return Z_ND.mean(0, dtype=np.float64)


def _components(Z_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [D], deviations [K] and axes [D, K] of the components, the largest first."""
    mean_D = _mean(Z_ND)
    centred_ND = Z_ND - mean_D
    values, axes = np.linalg.eigh(centred_ND.T @ centred_ND / len(Z_ND))
    deviation_D = np.sqrt(np.maximum(values[::-1], 0))
    K = int((deviation_D > ROUNDING * deviation_D[0]).sum())
    return mean_D, deviation_D[:K], axes[:, ::-1][:, :K]
