"""Effective rank against closed forms, a plain SVD and published traps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dasheng_lib.rank import RankMe, rankme


def by_svd(Z, centred=False):
    Z = np.asarray(Z, np.float64)
    if centred:
        Z = Z - Z.mean(0)
    s = np.linalg.svd(Z, compute_uv=False)
    p = s / s.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def rows(N, D, seed=0, power=0.5, mean=0.0):
    rng = np.random.default_rng(seed)
    scale = np.arange(1, D + 1) ** -power
    basis = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return (rng.normal(size=(N, D)) * scale) @ basis + mean * rng.normal(size=D)


@pytest.mark.parametrize("r", [1, 2, 10, 64])
def test_r_equal_singular_values_give_r(r):
    U = np.linalg.qr(np.random.default_rng(0).normal(size=(200, r)))[0]
    V = np.linalg.qr(np.random.default_rng(1).normal(size=(64, r)))[0]
    assert rankme(3.0 * U @ V.T) == pytest.approx(r, rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    N=st.integers(1, 90),
    D=st.integers(1, 40),
    power=st.floats(0, 3),
    centred=st.booleans(),
    seed=st.integers(0, 99),
)
def test_agrees_with_a_float64_svd(N, D, power, centred, seed):
    Z = rows(N, D, seed, power, mean=1.0)
    if centred and N == 1:
        assert rankme(Z, centred) == 0.0
    else:
        assert rankme(Z, centred) == pytest.approx(by_svd(Z, centred), rel=1e-6)


def test_scale_and_rotation_do_not_matter():
    Z = rows(300, 24)
    Q = np.linalg.qr(np.random.default_rng(5).normal(size=(24, 24)))[0]
    assert rankme(1e4 * Z @ Q) == pytest.approx(rankme(Z), rel=1e-9)


def test_shards_in_any_order_give_the_same_number():
    Z = rows(1000, 32, mean=2.0).astype(np.float32)
    whole = RankMe(32).update(Z)
    parts = [RankMe(32).update(part) for part in np.array_split(Z, [100, 101, 640])]
    merged = RankMe(32)
    for part in parts[::-1]:
        merged.merge(part)
    for centred in (False, True):
        assert merged.compute(centred) == pytest.approx(whole.compute(centred), rel=1e-12)
        assert whole.compute(centred) == pytest.approx(by_svd(Z, centred), rel=1e-6)


def test_a_common_mean_lowers_the_uncentred_rank_only():
    Z = rows(2000, 48)
    shifted = Z + 10 * np.linalg.norm(Z, axis=1).mean() * np.eye(48)[0]
    assert rankme(shifted, centred=True) == pytest.approx(rankme(Z, centred=True), rel=1e-6)
    assert rankme(shifted) < rankme(Z) / 2


@pytest.mark.parametrize(("power", "tolerance"), [(2.0, 1e-8), (3.0, 1e-6), (4.0, 3e-5)])
def test_steep_spectra_are_not_inflated(power, tolerance):
    """A float32 Gram gives 1.66 in place of 1.40 for singular values j^-4."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(2000, 256)))[0]
    V = np.linalg.qr(rng.normal(size=(256, 256)))[0]
    Z = (U * np.arange(1, 257) ** -power) @ V.T
    assert rankme(torch.tensor(Z)) == pytest.approx(by_svd(Z), rel=tolerance)


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.5, (0.45, 0.60)), (1, (0.77, 0.83)), (10, (0.97, 0.995))]
)
def test_finite_sample_bias(ratio, expected):
    """Gaussian rows, eigenvalues 1/j, D = 192: estimate over population, by N over D."""
    D = 192
    s = np.arange(1, D + 1) ** -0.5
    population = np.exp(-((s / s.sum()) * np.log(s / s.sum())).sum())
    rng = np.random.default_rng(0)
    estimate = np.mean([rankme(rng.normal(size=(int(ratio * D), D)) * s) for _ in range(5)])
    assert expected[0] < estimate / population < expected[1]


def test_collapse_and_zeros():
    assert rankme(np.ones((50, 8))) == pytest.approx(1.0)
    assert rankme(np.ones((50, 8)), centred=True) == 0.0
    assert rankme(np.zeros((50, 8))) == 0.0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="finite"):
        rankme(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="rows"):
        RankMe(3).update(np.ones((2, 4)))
    with pytest.raises(ValueError, match="no rows"):
        RankMe(3).compute()
    with pytest.raises(ValueError, match="merge"):
        RankMe(3).merge(RankMe(4))
