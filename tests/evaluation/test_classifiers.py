"""ARCH's head by its schedule, threads of the linear probe; the rest is tested where it is used."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from dasheng_lib.evaluation.probes import linear
from dasheng_lib.evaluation.probes.arch import arch, rate
from dasheng_lib.evaluation.probes.linear import logistic


def rows(n, seed=0):
    y = np.arange(n) % 3
    noise = np.random.default_rng(seed).normal(size=(n, 3))
    return (9 * np.eye(3)[y] + noise).astype(np.float32), np.eye(3, dtype=np.float32)[y]


def test_archs_head_warms_up_for_a_tenth_and_falls_to_nothing():
    rates = [rate(step, 100) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 1e-3 * np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], 1e-3 * np.arange(90, 0, -1) / 90)


@pytest.mark.parametrize("multilabel", [False, True])
def test_archs_head_learns_and_is_the_same_for_the_same_seed(multilabel):
    (x, y), (test, truth) = rows(90), rows(60, seed=1)
    scores = arch(multilabel, epochs=800)(x, y, test)  # steps of 1e-3 have a long way to go
    assert np.mean(scores.argmax(1) == truth.argmax(1)) > 0.9
    assert np.array_equal(scores, arch(multilabel, epochs=800)(x, y, test))
    assert not np.array_equal(scores, arch(multilabel, seed=1, epochs=800)(x, y, test))


def test_a_linear_probe_does_not_depend_on_the_number_of_cores(monkeypatch):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(300, 40)), np.eye(3)[rng.integers(3, size=300)]
    seen = []

    def fit(self, x, y):
        seen.extend(pool["num_threads"] for pool in blas())
        return real(self, x, y)

    def blas():
        return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]

    real = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", fit)
    with threadpool_limits(2, user_api="blas"):
        logistic()(rows, labels, rows)
        assert set(seen) == {1} and {pool["num_threads"] for pool in blas()} == {2}
        monkeypatch.setattr(linear, "ALONE", 0)
        seen.clear()
        logistic()(rows, labels, rows)
        assert set(seen) == {2}
