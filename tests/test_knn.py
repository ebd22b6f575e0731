"""k-NN against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

import dasheng_lib.knn as knn_module
from dasheng_lib.common import fast_cpu
from dasheng_lib.knn import knn_accuracy, knn_predict, knn_scores


def blobs(n, classes=5, D=12, seed=0, spread=1.5):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, D))
    y = rng.integers(classes, size=n)
    return (centres[y] + spread * rng.normal(size=(n, D))).astype(np.float32), y


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 10])
@pytest.mark.parametrize(("n", "large"), [(400, 1 << 22), (64 * 50, 1)])
def test_same_predictions_as_scikit_learn(metric, k, n, large, monkeypatch):
    monkeypatch.setattr(fast_cpu, "LARGE", large)
    (X, y), (test, _) = blobs(n), blobs(150, seed=1)
    peer = KNeighborsClassifier(k, metric=metric, algorithm="brute").fit(X, y)
    np.testing.assert_array_equal(knn_predict(X, y, test, k, metric), peer.predict(test))


def test_chunks_change_nothing(monkeypatch):
    (X, y), (test, _) = blobs(300), blobs(97, seed=1)
    whole = knn_predict(X, y, test)
    monkeypatch.setattr(knn_module, "TEST_ROWS", 7)
    monkeypatch.setattr(knn_module, "TRAIN_ROWS", 8)  # fewer than the 10 that vote
    np.testing.assert_array_equal(knn_predict(X, y, test), whole)


@pytest.mark.parametrize("levels", [1, 3, 5000])
def test_the_largest_of_groups_are_the_largest(levels):
    x = torch.from_numpy(np.random.default_rng(0).integers(levels, size=(9, 64 * 80))).float()
    x[0, 64:70] = levels  # several in one group
    values, places = fast_cpu.largest(x, 10)
    assert torch.equal(values, x.topk(10, 1).values)
    assert torch.equal(x.gather(1, places), values)
    assert all(len(row.unique()) == 10 for row in places)


def test_a_value_that_is_not_finite_is_found_and_a_sum_that_overflows_is_not_one():
    (X, y), (test, _) = blobs(300), blobs(10, seed=1)
    assert fast_cpu.finite(torch.full((300, 12), 3e38))
    for bad in (np.nan, np.inf, -np.inf):
        rows = X.copy()
        rows[123, 4] = bad
        rows[200, 4] = np.inf  # of two signs they add up to NaN
        with pytest.raises(ValueError, match="not finite"):
            knn_predict(rows, y, test)


def test_a_large_common_mean_costs_no_neighbours():
    (X, y), (test, _) = blobs(300), blobs(100, seed=1)
    far = np.float32(300.0)
    expected = knn_predict(X, y, test, metric="euclidean")
    got = knn_predict(X + far, y, test + far, metric="euclidean")
    assert np.mean(got == expected) > 0.97  # float32 rows themselves lose digits out there


def test_separable_classes_are_all_right():
    X, y = blobs(200, spread=0.01)
    assert knn_accuracy(X, y, X, y, k=3) == 1.0


def test_labels_may_be_text_and_ties_go_to_the_first():
    X = np.eye(4, dtype=np.float32)
    y = np.array(["b", "a", "b", "a"])
    assert knn_predict(X, y, np.ones((1, 4), np.float32), k=4).tolist() == ["a"]


def test_softmax_votes_by_hand():
    X = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])
    y = np.array(["near", "far", "far"])
    test = np.array([[1.0, 0.0]])
    # exp(1 / 0.07) against 2 exp(0.6 / 0.07): the near one outweighs two; plain votes do not.
    assert knn_predict(X, y, test, k=3, weights="softmax").tolist() == ["near"]
    assert knn_predict(X, y, test, k=3).tolist() == ["far"]
    # At T = 1: e against 2 exp(0.6).
    assert knn_predict(X, y, test, 3, "cosine", "softmax", temperature=1.0).tolist() == ["far"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"k": 0}, "k is between"),
        ({"k": 301}, "k is between"),
        ({"metric": "manhattan"}, "metric"),
        ({"weights": "softmax", "metric": "euclidean"}, "weights"),
        ({"test_MD": np.ones((2, 3))}, "fit together"),
        ({"test_MD": np.full((2, 12), np.nan)}, "finite"),
        ({"train_y": np.zeros(7)}, "fit together"),
    ],
)
def test_bad_input_is_named(change, word):
    X, y = blobs(300)
    with pytest.raises(ValueError, match=word):
        knn_predict(**{"train_ND": X, "train_y": y, "test_MD": X, **change})


def test_scores_are_shares_of_the_votes():
    X = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]])
    votes = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1]])
    plain = knn_scores(X, votes, X[:1], k=3)
    np.testing.assert_allclose(plain, [[1 / 3, 2 / 3, 2 / 3]], rtol=1e-6)
    near, far = np.exp(1 / 0.5), np.exp(0.6 / 0.5)
    weighted = knn_scores(X, votes, X[:1], k=3, weights="softmax", temperature=0.5)
    expected = np.array([[near, 2 * far, near + far]]) / (near + 2 * far)
    np.testing.assert_allclose(weighted, expected, rtol=1e-5)


def test_the_highest_score_is_the_prediction():
    (X, y), (test, _) = blobs(300), blobs(97, seed=1)
    for weights in ("uniform", "softmax"):
        scores = knn_scores(X, np.eye(5)[y], test, weights=weights)
        np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
        np.testing.assert_array_equal(scores.argmax(1), knn_predict(X, y, test, weights=weights))


def test_read_only_rows_are_no_matter_for_a_warning(tmp_path):
    X, y = blobs(40)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    torch.set_warn_always(True)  # by default only the first time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            knn_predict(mapped, y, mapped, 3)
    finally:
        torch.set_warn_always(False)
