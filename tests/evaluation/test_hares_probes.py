"""HARES's heads against plain trainings written from the paper's text, its SVM by scikit-learn."""

import itertools
import math
import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from dasheng_lib.evaluation.probes import PROBES
from dasheng_lib.evaluation.probes.classifier import Turn
from dasheng_lib.evaluation.probes.hares import hares, rate
from dasheng_lib.evaluation.probes.svm import STRENGTHS, hares_svm

D, C, N = 7, 3, 83


def drawn(n, seed, multilabel=False, spread=1.0, width=D):
    rng = np.random.default_rng(seed)
    y = rng.random((n, C)) < 0.4 if multilabel else np.eye(C)[rng.integers(C, size=n)]
    x = spread * rng.normal(size=(n, width)) + 1.5 * y @ np.eye(C, width)
    return x.astype(np.float32), y.astype(np.float32)


def plain(network, x, y, test, steps, warmup, batch, multilabel):
    """Adam, its rate to 2e-4 and down along half a cosine, batches out of endless shuffles."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    loss = nn.BCEWithLogitsLoss() if multilabel else nn.CrossEntropyLoss()
    waiting = []
    for step in range(steps):
        part = step / warmup
        if step >= warmup:
            part = 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / (steps - warmup))
        optimizer.param_groups[0]["lr"] = 2e-4 * part
        while len(waiting) < batch:
            waiting += torch.randperm(len(x)).tolist()
        now, waiting = waiting[:batch], waiting[batch:]
        optimizer.zero_grad()
        loss(network(torch.tensor(x[now])), torch.tensor(y[now])).backward()
        optimizer.step()
    with torch.no_grad():
        return network(torch.tensor(test)).numpy()


@pytest.mark.parametrize(
    ("settings", "network", "steps", "warmup", "batch"),
    [
        ({"share": 1 / 1000}, lambda: nn.Linear(D, C), 400, 5, 64),
        (
            {"share": 1 / 1000, "hidden": 512, "batch": 128, "whole": 200_000},
            lambda: nn.Sequential(nn.Linear(D, 512), nn.ReLU(), nn.Linear(512, C)),
            200,
            5,
            128,
        ),
    ],
    ids=["linear", "hidden"],
)
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_head_is_a_plain_training(settings, network, steps, warmup, batch, multilabel):
    (x, y), (test, _) = drawn(N, 1, multilabel), drawn(40, 2)
    torch.manual_seed(4)
    expected = plain(network(), x, y, test, steps, warmup, batch, multilabel)
    found = hares(multilabel, seed=4, **settings)(x, y, test)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    again, other = (hares(multilabel, seed=seed, **settings)(x, y, test) for seed in (4, 5))
    assert np.array_equal(again, found) and np.abs(other - found).max() > 1e-2


def test_a_part_of_the_schedule_has_the_shape_of_the_whole():
    whole = [rate(step, 400_000, 5000) for step in range(0, 400_000, 100)]
    part = [rate(step, 4000, 50) for step in range(4000)]
    np.testing.assert_allclose(part, whole, rtol=1e-9)
    assert part[0] == 0 and max(part) == part[50] == 2e-4 and part[-1] < 1e-9


@pytest.mark.parametrize(
    ("name", "steps", "warmup", "batch"),
    [
        ("hares", 20_000, 250, 64),
        ("hares-paper", 400_000, 5000, 64),
        ("hares-mtt", 20_000, 5000, 128),
        ("hares-mlp", 10_000, 250, 128),
        ("hares-mlp-paper", 200_000, 5000, 128),
    ],
)
def test_the_lengths_that_the_table_says(monkeypatch, name, steps, warmup, batch):
    seen = []

    def descend(head, epochs, x, y, multilabel):
        seen.extend((len(rows), rate) for steps in epochs for rows, rate in steps)
        return ()

    # the same rows over and over: drawing them takes longer than all the rest
    same = lambda N, batch, generator: itertools.repeat(torch.arange(batch))  # noqa: E731
    module = sys.modules[hares.__module__]
    monkeypatch.setattr(module, "_batches", same)
    monkeypatch.setattr(module, "descend", descend)
    x, y = drawn(90, 1)
    PROBES[name].make(False, seed=0)(x, y, x)
    assert len(seen) == steps and {rows for rows, _ in seen} == {batch}
    assert int(np.argmax([rate for _, rate in seen])) == warmup


@pytest.mark.parametrize(("classes", "spread"), [(2, 2.0), (3, 3.0)])
def test_the_svm_is_scikit_learns(classes, spread):
    parts = [drawn(90, seed, spread=spread, width=20) for seed in range(3)]
    loud = np.where(np.arange(20) == 19, 50, 1)  # one feature drowns the others as it is
    parts = [(x * loud, np.eye(classes)[y.argmax(1) % classes]) for x, y in parts]
    turns = [Turn(*parts[2], parts[i][0], *parts[1 - i]) for i in (0, 1)]

    def fit(C, x, y, test):
        scaler = StandardScaler().fit(x)
        model = LinearSVC(C=C, random_state=0).fit(scaler.transform(x), y.argmax(1))
        return model.decision_function(scaler.transform(test))

    def guess(found):
        return (found > 0).astype(int) if found.ndim == 1 else found.argmax(1)

    valid, truth = parts[1]
    scores = [accuracy_score(truth.argmax(1), guess(fit(C, *parts[2], valid))) for C in STRENGTHS]
    C = STRENGTHS[int(np.argmax(scores))]  # of the first turn, for both
    assert STRENGTHS[0] < C < STRENGTHS[-1] and len(set(scores)) > 2
    for turn, found in zip(turns, hares_svm()(turns), strict=True):
        x, y = (
            np.concatenate([turn.train, turn.valid]),
            np.concatenate([turn.train_NC, turn.valid_NC]),
        )
        expected = fit(C, x, y, turn.test)
        own = found[:, 1] if classes == 2 else found
        np.testing.assert_array_equal(own, expected)


def test_the_svm_tells_several_classes_and_one():
    parts = [drawn(90, seed, multilabel=True) for seed in range(3)]
    (found,) = hares_svm(multilabel=True)([Turn(*parts[0], parts[1][0], *parts[2])])
    assert np.mean((found > 0) == parts[1][1]) > 0.7
    one = np.eye(C)[np.zeros(90, int)]
    x = parts[0][0]
    (found,) = hares_svm()([Turn(x, one, x, x, one)])
    assert (found.argmax(1) == 0).all()
