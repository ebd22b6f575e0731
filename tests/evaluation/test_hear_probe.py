"""heareval's probe against the plain way to do it, and rule by rule."""

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from plain_probe import plain_probe, plain_train
from sklearn.model_selection import ParameterGrid
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.probes.mlp.networks import (
    Point,
    backward,
    dropout_gate,
    initial_network,
    logits,
    stack,
)
from dasheng_lib.evaluation.probes.mlp.probe import (
    GRID,
    SCHEDULE,
    Part,
    Split,
    best_of,
    kfold,
    probe,
)
from dasheng_lib.evaluation.probes.mlp.training import Course, read_rows

SMALL = replace(SCHEDULE, max_epochs=24, patience=4, batch=50, hidden=24)
POINTS = (*GRID[:2], GRID[4], GRID[6])


def accuracy(y_NC):
    return lambda scores: (float(np.mean(scores.argmax(1) == y_NC.argmax(1))), None)


def part(n, seed, multilabel=False, classes=4, missing=None, noise=2.5):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, 10))
    allowed = [c for c in range(classes) if c != missing]
    y = np.eye(classes, dtype=np.float32)[rng.choice(allowed, n)]
    if multilabel:
        y = np.maximum(y, np.eye(classes, dtype=np.float32)[rng.choice(allowed, n)])
    x = (y @ centres + noise * rng.normal(size=(n, 10))).astype(np.float32)
    score = (lambda p: (float(np.mean((p > 0.5) == y)), None)) if multilabel else accuracy(y)
    return Part(x, y, score)


def held_out(multilabel=False, **options):
    sizes = ((70, 0), (60, 1)), (45, 2), (30, 3)
    train, valid, test = sizes
    train = tuple(part(*size, multilabel, **options) for size in train)
    return [Split(train, part(*valid, multilabel), part(*test, multilabel))]


def folds():
    return kfold([part(40 + (i == 1), i, missing=2 if i == 3 else None) for i in range(4)])


def event_like():
    """A score that prefers one of two settings, another from time to time."""
    splits = held_out(multilabel=True)
    y = splits[0].valid.targets_NC

    def score(scores):
        tried = {ms: float(np.mean((scores > ms / 500) == y)) for ms in (250.0, 125.0)}
        best = max(tried, key=tried.get)
        return tried[best], (best, 60.0)

    return [replace(splits[0], valid=replace(splits[0].valid, score=score))]


TASKS = {
    "multiclass": (held_out, "multiclass", SMALL),
    "multilabel": (lambda: held_out(multilabel=True), "multilabel", SMALL),
    "a class the training never has": (lambda: held_out(missing=1), "multiclass", SMALL),
    "folds, one without a class": (folds, "multiclass", SMALL),
    "events": (event_like, "multilabel", replace(SMALL, every=10, max_epochs=40)),
    "by loss": (
        lambda: held_out(multilabel=True),
        "multilabel",
        replace(SMALL, every=1, max_epochs=12, by_loss=True),
    ),
}


@cache
def plain_way(name):
    make, prediction, schedule = TASKS[name]
    return plain_probe(make(), prediction, schedule, POINTS)


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("name", TASKS)
def test_as_one_model_at_a_time(name, together):
    make, prediction, schedule = TASKS[name]
    best, grid, fold_rows, predictions = plain_way(name)
    got = probe(make(), prediction, schedule, POINTS, together=together)
    assert got.folds[0].point == POINTS[best]
    sign = -1 if schedule.by_loss else 1
    for ours, (score, epoch, choice, epochs) in zip(
        [*got.grid, *got.folds], [*grid, *fold_rows], strict=True
    ):
        assert (ours.epoch, ours.epochs, ours.choice) == (epoch, epochs, choice)
        assert ours.score == pytest.approx(sign * score, abs=1e-5)
    for ours, theirs in zip(got.predictions, predictions, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_threads_change_not_a_bit(monkeypatch):
    splits = folds()
    alone = probe(splits, "multiclass", SMALL, POINTS)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shared = probe(splits, "multiclass", SMALL, POINTS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert shared.grid == alone.grid
    for one, other in zip(alone.predictions, shared.predictions, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_gradients_are_autograds(layers, multilabel):
    """In float64, so that only a wrong formula can differ."""
    start = [initial_network(Point(layers, 1, "xavier_normal"), 5, 3, 7, (i,)) for i in range(2)]
    net = stack(start)._each(lambda t: t.double() + 0.1 * torch.randn_like(t).double())
    net = net._each(torch.Tensor.abs) if False else net
    x = torch.randn(1, 9, 5).double()
    y = F.one_hot(torch.randint(3, (1, 9)), 3).double()
    gates = [dropout_gate((9, 7), 0.3, (layer,))[None].double() for layer in range(layers)]
    got = [torch.empty_like(t) for t in net.trained]
    leaves = [t.clone().requires_grad_() for t in net.trained]
    w, scale, shift = leaves[: layers + 1], leaves[layers + 1 : -layers - 1], leaves[-layers - 1 :]
    a = x.expand(2, -1, -1)
    for i in range(layers):
        z = a @ w[i].mT
        z = (z - z.mean(1, True)) / (z.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        a = ((z * scale[i] + shift[i]) * gates[i]).relu()
    out = a @ w[-1].mT + leaves[-1]
    y2 = y.expand(2, -1, -1)
    if multilabel:
        loss = F.binary_cross_entropy_with_logits(out, y2) * 2
    else:
        loss = F.cross_entropy(out.flatten(0, 1), y2.flatten(0, 1)) * 2
    loss.backward()
    backward(net, x, y, gates, multilabel, got, {})
    for ours, leaf in zip(got, leaves, strict=True):
        torch.testing.assert_close(ours, leaf.grad, rtol=1e-9, atol=1e-11)


def test_the_grid_is_hearevals():
    points = list(
        ParameterGrid(
            {
                "hidden_layers": [1, 2],
                "lr": [3.2e-3, 1e-3, 3.2e-4, 1e-4],
                "initialization": ["xavier_uniform", "xavier_normal"],
            }
        )
    )
    random.Random(42).shuffle(points)
    expected = [Point(p["hidden_layers"], p["lr"], p["initialization"]) for p in points[:8]]
    assert list(GRID) == expected


def test_the_schedule_is_hearevals():
    assert (SCHEDULE.max_epochs, SCHEDULE.every, SCHEDULE.patience) == (500, 3, 20)
    assert (SCHEDULE.batch, SCHEDULE.hidden, SCHEDULE.dropout) == (1024, 1024, 0.1)


def test_first_weights_have_xaviers_spread_and_heareval_gains():
    for init in ("xavier_uniform", "xavier_normal"):
        net = initial_network(Point(2, 1e-3, init), 200, 50, 300, (0,))
        for weight, gain in zip(net.weight, (1, 2**0.5, 2**0.5), strict=True):
            expected = gain * (2 / sum(weight.shape[1:])) ** 0.5
            assert weight.std().item() == pytest.approx(expected, rel=0.03)
        bounded = net.weight[0].abs().max().item() <= (6 / 500) ** 0.5
        assert bounded == (init == "xavier_uniform")
        for bias, width in zip(
            (net.mean[0], net.mean[1], net.bias[0]), (200, 300, 300), strict=True
        ):
            assert 0.9 * width**-0.5 < bias.abs().max() <= width**-0.5


def test_dropout_takes_its_share_and_never_the_same():
    gate = dropout_gate((400, 250), 0.1, (0, 1, 2))
    assert set(gate.unique().tolist()) == {0.0, torch.tensor(1 / 0.9).item()}
    assert (gate == 0).float().mean().item() == pytest.approx(0.1, abs=0.004)
    assert torch.equal(gate, dropout_gate((400, 250), 0.1, (0, 1, 2)))
    other = dropout_gate((400, 250), 0.1, (0, 1, 3))
    both = ((gate == 0) & (other == 0)).float().mean().item()
    assert both == pytest.approx(0.01, abs=0.002)


def judged(scores, schedule=SMALL):
    net = initial_network(GRID[0], 3, 2, 4, (0,))
    course = Course(GRID[0], 0)
    for number, score in enumerate(scores):
        course.judged(score, number, net, schedule)
        if course.done:
            break
    return course


def test_the_earliest_of_equal_scores_stays():
    course = judged([0.2, 0.5, 0.5, 0.4, 0.5, 0.5])
    assert (course.epoch, course.choice, course.score) == (6, 1, 0.5)
    assert course.done and len(course.scores) == 6  # patience 4


def test_nan_ends_a_model_and_never_wins():
    nan = float("nan")
    late = judged([0.2, 0.3, nan, 0.9])
    assert (late.score, late.epoch, len(late.scores)) == (0.3, 6, 3)
    first = judged([nan, 0.9])
    assert np.isnan(first.score) and first.epoch == 3 and first.network is not None


def test_a_grid_with_nan_scores_as_the_plain_way():
    """The first grid point's first validation is NaN, as where no event is found."""
    splits, calls = held_out(), []

    def scored(inner):
        def score(p):
            calls.append(1)
            sharp = p.max(1).mean() > 0.55  # hesitant models find nothing
            return (inner(p)[0] if sharp else float("nan")), None

        return score

    valid = splits[0].valid
    splits = [replace(splits[0], valid=replace(valid, score=scored(valid.score)))]
    best, grid, _, predictions = plain_probe(splits, "multiclass", SMALL, POINTS)
    got = probe(splits, "multiclass", SMALL, POINTS)
    nans = [np.isnan(row[0]) for row in grid]
    assert any(nans) and not all(nans)
    assert [np.isnan(row.score) for row in got.grid] == nans
    assert [row.epochs for row in got.grid] == [row[-1] for row in grid]
    assert got.folds[0].point == POINTS[best]
    np.testing.assert_allclose(got.predictions[0], predictions[0], atol=1e-4)


def test_the_first_of_the_best_wins_and_nan_never_does():
    scores = [float("nan"), 0.2, 0.7, 0.7, float("nan")]
    courses = [Course(GRID[0], 0, [score]) for score in scores]
    assert best_of(courses) is courses[2]
    assert best_of([courses[0], courses[4]]) is courses[0]


def test_where_all_scores_are_nan_the_first_point_predicts():
    splits = held_out()
    valid = replace(splits[0].valid, score=lambda p: (float("nan"), None))
    got = probe([replace(splits[0], valid=valid)], "multiclass", SMALL, POINTS)
    assert got.folds[0].point == POINTS[0] and got.folds[0].epochs == 3


@pytest.mark.parametrize("together", [1, 4])
def test_training_ends_where_nothing_can_change(together):
    """Easy data: fewer epochs, the same winner, epoch and predictions."""
    splits = held_out(noise=0.3)
    splits = [replace(splits[0], valid=part(45, 2, noise=0.3))]
    short = probe(splits, "multiclass", SMALL, POINTS, together=together)
    best, _, fold_rows, predictions = plain_probe(splits, "multiclass", SMALL, POINTS)
    assert short.folds[0].score == 1.0
    assert short.folds[0].point == POINTS[best] and short.folds[0].epoch == fold_rows[0][1]
    np.testing.assert_allclose(short.predictions[0], predictions[0], atol=1e-4)
    whole = probe(splits, "multiclass", replace(SMALL, best_possible=np.inf), POINTS)
    assert sum(row.epochs for row in short.grid) < sum(row.epochs for row in whole.grid)
    np.testing.assert_array_equal(short.predictions[0], whole.predictions[0])
    after = [row for row in short.grid[POINTS.index(short.folds[0].point) + 1 :]]
    assert all(row.epochs <= short.folds[0].epochs for row in after)


def test_a_last_batch_of_one_row_is_left_out():
    x, y = np.arange(22, dtype=np.float32).reshape(11, 2), np.ones((11, 1), np.float32)
    rows = read_rows([(x[:4], y[:4]), (x[4:], y[4:])], (x, y), None, 5, "cpu")
    assert [batch.tolist() for batch, _ in rows.batches] == [x[:5].tolist(), x[5:10].tolist()]
    with pytest.raises(UserError, match="at least 2"):
        read_rows([(x[:1], y[:1])], (x, y), None, 5, "cpu")


def test_rows_of_a_read_only_memory_map_are_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((6, 2), np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = read_rows([(x, x)], (x, x), None, 4, "cpu")
    assert rows.batches[0][0].data_ptr() == x.ctypes.data


def test_folds_turn():
    parts = [part(5, i) for i in range(4)]
    first, *_, last = kfold(parts)
    assert first.test is parts[0] and first.valid is parts[1] and first.train == (*parts[2:],)
    assert last.test is parts[3] and last.valid is parts[0] and last.train == (*parts[1:3],)
    with pytest.raises(UserError, match="3 folds"):
        kfold(parts[:2])


def test_bad_input_is_named():
    x, y = np.ones((3, 2), np.float32), np.ones((3, 1), np.float32)
    bad = x.copy()
    bad[1, 0] = np.nan
    with pytest.raises(UserError, match="Embedding 1 is not finite"):
        Part(bad, y)
    with pytest.raises(UserError, match="as many rows"):
        Part(x, y[:2])
    good = held_out()[0]
    two = replace(good.valid, targets_NC=np.ones_like(good.valid.targets_NC))
    with pytest.raises(UserError, match="exactly one class"):
        probe([replace(good, valid=two)], "multiclass", SMALL, POINTS)
    with pytest.raises(UserError, match="needs a score"):
        probe([replace(good, valid=replace(good.valid, score=None))], "multiclass", SMALL)
    with pytest.raises(UserError, match="same features"):
        probe([replace(good, test=Part(x, y))], "multiclass", SMALL)
    with pytest.raises(UserError, match="multiclass or multilabel"):
        probe([good], "regression", SMALL)
    with pytest.raises(UserError, match="at least one split"):
        probe([], "multiclass")


def test_company_changes_nothing():
    """The same model alone and among others, to rounding; another seed is another model."""
    splits = held_out()
    alone = plain_train(GRID[1], splits[0], False, SMALL)
    got = probe(splits, "multiclass", SMALL, [GRID[1]])
    assert got.grid[0].score == pytest.approx(alone[1])
    other = probe(splits, "multiclass", SMALL, [GRID[1]], seed=1)
    assert np.abs(other.predictions[0] - got.predictions[0]).max() > 1e-3


def test_evaluation_reads_the_running_statistics():
    net = initial_network(GRID[0], 3, 2, 4, (0,))
    net.mean[0].normal_(), net.var[0].uniform_(0.5, 2)
    x = torch.randn(1, 5, 3)
    hidden = F.batch_norm(
        x[0] @ net.weight[0][0].T,
        net.mean[0][0, 0],
        net.var[0][0, 0],
        net.scale[0][0, 0],
        net.shift[0][0, 0],
    )
    expected = hidden.relu() @ net.weight[1][0].T + net.bias[0][0]
    torch.testing.assert_close(logits(net, x)[0], expected)
