"""Whatever shape or type callers hand over: the right number, or a ValueError."""

import numpy as np
import pandas as pd
import pytest
import torch

from dasheng_lib.common.arrays import numbers
from dasheng_lib.evaluation.folds import evaluate_folds
from dasheng_lib.evaluation.probes import PROBES, classifier, selector
from dasheng_lib.evaluation.probes.classifier import Turn
from dasheng_lib.knn import knn_accuracy, knn_predict, knn_scores
from dasheng_lib.metrics.intervals import paired_bootstrap, t_interval
from dasheng_lib.metrics.rank_correlation import agree, coefficient
from dasheng_lib.metrics.ranking import average_ranks, mean_min_max, mean_z
from dasheng_lib.metrics.scene import SCENE_METRICS, average_precision, roc_area, scene_score
from dasheng_lib.rank import RankMe, rankme
from dasheng_lib.rank.interventions import fit
from dasheng_lib.rank.lidar import lidar
from dasheng_lib.rank.measures import measure

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = torch.tensor(4 * np.eye(3)[Y] + RNG.normal(size=(60, 3))).bfloat16().float().numpy()

# The same rows, and the same labels, as callers may hold them.
ROWS = {
    "array": X,
    "bfloat16": torch.tensor(X).bfloat16(),
    "gradient": torch.tensor(X, requires_grad=True),
    "table": pd.DataFrame(X),
    "objects": X.astype(object),
    "big-endian": X.astype(">f4"),
    "longdouble": X.astype(np.longdouble),
    "reversed": X[::-1][::-1],
    "backwards": X[:, ::-1].copy()[:, ::-1],
    "Fortran": np.asfortranarray(X),
    "lists": X.tolist(),
}
LABELS = {
    "array": Y,
    "column": Y[:, None],
    "list": Y.tolist(),
    "series": pd.Series(Y, index=Y + 7),
    "frame": pd.DataFrame({"y": Y}),
    "tensor": torch.tensor(Y),
    "column of a tensor": torch.tensor(Y)[:, None],
    "floats": Y.astype(np.float32),
    "bfloat16": torch.tensor(Y).bfloat16(),
    "objects": Y.astype(object),
    "big-endian": Y.astype(">i8"),
}
WRONG_ROWS = {
    "nothing": np.float32(3),
    "vector": X[0],
    "cube": X[None],
    "text": X.astype(str),
    "complex": X.astype(complex),
    "tensor of complex": torch.tensor(X).to(torch.complex64),
    "sparse": torch.tensor(X).to_sparse(),
    "masked": np.ma.masked_array(X, X > 1),
    "no columns": X[:, :0],
    "a word among them": np.array([*X[:-1].tolist(), [1.0, "x", 2.0]], object),
}
WRONG_LABELS = {
    "one": Y[:1],
    "one too few": Y[:-1],
    "nothing": Y[0],
    "row": Y[None],
    "one-hot": np.eye(3)[Y],
    "missing": np.where(Y == 0, np.nan, Y),
    "none": [None, *Y[1:].tolist()],
    "both": ["0", *Y[1:].tolist()],
    "masked": np.ma.masked_array(Y, Y == 1),
}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("labels", LABELS)
def test_knn_is_right_whatever_holds_rows_and_labels(rows, labels):
    x, y = ROWS[rows], LABELS[labels]
    assert knn_accuracy(x, y, x, Y, k=1) == 1
    assert knn_accuracy(X, Y, x, y, k=1) == 1
    assert knn_accuracy(x, Y.astype(str), x, Y.astype(str).astype(object)[:, None], k=1) == 1


@pytest.mark.parametrize("labels", [*WRONG_LABELS, "text"])
def test_labels_that_fit_nothing_are_refused(labels):
    wrong = (WRONG_LABELS | {"text": Y.astype(str)})[labels]
    with pytest.raises(ValueError):
        knn_accuracy(X, Y, X, wrong, k=1)
    with pytest.raises(ValueError):
        knn_accuracy(X, wrong, X, Y, k=1)
    if labels != "text":
        with pytest.raises(ValueError):
            knn_predict(X, wrong, X, k=1)


@pytest.mark.parametrize("votes", [Y, np.eye(3)[Y][:-1], np.eye(3)[Y].astype(str), 1.0])
def test_votes_are_a_row_a_row(votes):
    with pytest.raises(ValueError):
        knn_scores(X, votes, X, k=1)


@pytest.mark.parametrize("rows", WRONG_ROWS)
def test_rows_that_are_none_are_refused_everywhere(rows):
    x = WRONG_ROWS[rows]
    table = pd.DataFrame({"clip": range(60), "label": Y, "fold": np.arange(60) // 30})
    calls = [
        lambda: knn_predict(x, Y, X, k=1),
        lambda: knn_predict(X, Y, x, k=1),
        lambda: rankme(x),
        lambda: RankMe(3).update(x),
        lambda: measure(x, ["rankme"]),
        lambda: fit("whiten", x),
        lambda: evaluate_folds(x, table, classifier("linear")),
        *[lambda m=m: scene_score(m, x, np.eye(3)[Y]) for m in SCENE_METRICS],
        *[lambda m=m: scene_score(m, X, x) for m in SCENE_METRICS],
        lambda: average_precision(x, np.eye(3)[Y]),
        lambda: roc_area(x, np.eye(3)[Y]),
    ]
    if rows != "cube":
        calls.append(lambda: lidar(x))
    for call in calls:
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("rows", ROWS)
def test_measures_and_metrics_are_the_same_whatever_holds_the_rows(rows):
    x, targets = ROWS[rows], np.eye(3)[Y]
    assert rankme(x) == rankme(X)
    assert measure(x, ["rankme", "uniformity"]) == pytest.approx(
        measure(X, ["rankme", "uniformity"])
    )
    assert np.array_equal(fit("whiten", x).matrix_DD, fit("whiten", numbers(x, "x")).matrix_DD)
    for metric in SCENE_METRICS:
        assert scene_score(metric, x, targets) == scene_score(metric, X, targets)


@pytest.mark.parametrize("name", ["linear", "knn", "majority", "hares-svm", "arch"])
@pytest.mark.parametrize("rows", ROWS)
def test_probes_give_the_same_scores_whatever_holds_the_rows(name, rows):
    x, y = ROWS[rows], np.eye(3)[Y]

    def scores(part, targets):
        if PROBES[name].chooses:
            return next(iter(selector(name)([Turn(part, targets, part, part, targets)])))
        return classifier(name, k=1)(part, targets, part)

    found = scores(x, torch.tensor(y).bfloat16())
    assert found == pytest.approx(scores(X, y), abs=1e-5)
    with pytest.raises(ValueError):
        scores(x, y[:-1])
    with pytest.raises(ValueError):
        scores(x, Y)
    with pytest.raises(ValueError):
        scores(x, 2 * y)


def test_folds_take_any_rows():
    table = pd.DataFrame({"clip": range(60), "label": Y, "fold": np.arange(60) // 30})
    scores = {evaluate_folds(x, table, classifier("knn", k=3)).accuracy for x in ROWS.values()}
    assert len(scores) == 1


def test_scores_of_systems_and_pairs_fit_together_or_are_refused():
    a = np.arange(5.0)
    for wrong in (a[:2], a[:1], 3.0, a.astype(str), np.stack([a, a], 1)):
        with pytest.raises(ValueError):
            coefficient(a, wrong, "kendall")
        with pytest.raises(ValueError):
            paired_bootstrap(a, wrong)
        with pytest.raises(ValueError):
            paired_bootstrap(a, a, groups=wrong[:3] if np.ndim(wrong) else wrong)
    assert t_interval(a[:, None]) == t_interval(a) == t_interval(torch.tensor(a))
    assert paired_bootstrap(a[:, None], a) == (0, 0)
    for wrong in (3.0, a.astype(str), np.stack([a, a], 1)):
        with pytest.raises(ValueError):
            t_interval(wrong)
    with pytest.raises(ValueError, match="twice"):
        agree(pd.Series([1, 2, 3], ["x", "x", "y"]), pd.Series([1, 2], ["x", "y"]))
    with pytest.raises(ValueError):
        agree([1, 2, 3], [1, 2, 3])
    text = pd.DataFrame({"x": ["10", "9"], "y": ["8", "7"]})  # as text, 10 is less than 8
    for function in (average_ranks, mean_z, mean_min_max):
        with pytest.raises(ValueError):
            function(text)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint64, np.int8])
def test_scores_are_the_same_numbers_whatever_type_they_have(kind):
    """The negative of an unsigned number is a large one: the best score came last."""
    scores, targets = (RNG.random((60, 3)) < 0.4).astype(kind), np.eye(3)[Y]
    for metric in SCENE_METRICS:
        assert scene_score(metric, scores, targets) == scene_score(metric, scores * 1.0, targets)
    assert measure(scores, ["two_nn", "rankme"]) == pytest.approx(
        measure(scores * 1.0, ["two_nn", "rankme"]), nan_ok=True
    )
    with pytest.raises(ValueError):
        knn_predict(X, Y, X, k=True)
