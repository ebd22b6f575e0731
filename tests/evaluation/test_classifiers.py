"""ARCH's head by its schedule, threads of the linear probe; the rest is tested where it is used."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
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


def test_a_linear_probe_has_converged():
    """On features that hang together, as log-mel statistics do, a fit has a long way to go."""
    rng = np.random.default_rng(0)
    hidden, mixed = rng.normal(size=(600, 8)), 2 * rng.normal(size=(8, 60))
    rows = (hidden @ mixed + 0.05 * rng.normal(size=(600, 60)) + 3).astype(np.float32)
    classes = (hidden[:200] @ rng.normal(size=(8, 6)) + rng.normal(size=(200, 6))).argmax(1)
    found = logistic()(rows[:200], np.eye(6)[classes], rows[200:])
    scaler = StandardScaler().fit(rows[:200].astype(float))
    exact = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=500)
    exact.fit(scaler.transform(rows[:200].astype(float)), classes)
    expected = exact.predict_proba(scaler.transform(rows[200:].astype(float)))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.array_equal(found.argmax(1), expected.argmax(1))
    turned = rng.permutation(60)
    again = logistic()(rows[:200, turned], np.eye(6)[classes], rows[200:, turned])
    np.testing.assert_allclose(again, found, atol=1e-6)


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
