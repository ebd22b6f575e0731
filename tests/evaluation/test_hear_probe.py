"""heareval's probe against its published protocol done one network at a time, and rule by rule."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_probe import plain_probe
from same_start import as_plain, same_start
from scipy.stats import sem
from sklearn.model_selection import ParameterGrid
from torch import nn

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.probes.mlp.network import Network, Point, dropout_gate
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

# Without dropout, so that nothing is drawn but the first weights, which the tests hand on.
SMALL = replace(SCHEDULE, max_epochs=24, patience=4, batch=50, hidden=24, dropout=0.0)
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


def plain_way(splits, prediction, schedule):
    return plain_probe(splits, prediction, schedule, POINTS, same_start(splits, schedule))


@pytest.mark.parametrize("name", TASKS)
def test_as_one_network_at_a_time(name):
    make, prediction, schedule = TASKS[name]
    splits = make()
    best, grid, fold_rows, predictions = plain_way(splits, prediction, schedule)
    got = probe(splits, prediction, schedule, POINTS)
    assert got.folds[0].point == POINTS[best]
    sign = -1 if schedule.by_loss else 1
    for ours, theirs in zip([*got.grid, *got.folds], [*grid, *fold_rows], strict=True):
        assert (ours.epoch, ours.choice, ours.epochs) == theirs[2:]
        assert ours.score == pytest.approx(sign * theirs.score, abs=1e-5)
    for ours, theirs in zip(got.predictions, predictions, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_losses_over_seeds_are_those_of_networks_begun_and_thinned_otherwise():
    """Means of the loss on the rows of the training: no seed is shared, nor any dropout."""
    schedule = replace(SMALL, max_epochs=15, every=15, by_loss=True, dropout=0.5)
    rows, point, seeds = part(60, 0), Point(2, 1e-2, "xavier_uniform"), range(8)
    splits = [Split((rows,), rows, rows)]

    def theirs(schedule):
        runs = [plain_probe(splits, "multiclass", schedule, [point], seed=s) for s in seeds]
        return np.log([-run[1][0].score for run in runs])

    def apart(one, other):
        """In standard errors of the difference."""
        return abs(np.mean(one) - np.mean(other)) / np.hypot(sem(one), sem(other))

    found = [probe(splits, "multiclass", schedule, [point], s).folds[0].score for s in seeds]
    assert apart(np.log(found), theirs(schedule)) < 2.5
    assert apart(np.log(found), theirs(replace(schedule, dropout=0.3))) > 5


def test_what_a_row_is_given_does_not_depend_on_other_rows_or_on_chance():
    """Neither in validation nor in test: no dropout, and running statistics."""
    splits, seen = held_out(), []
    x, y = splits[0].test.features_ND[:3], splits[0].test.targets_NC[:3]

    again = Part(np.tile(x, (4, 1)), np.tile(y, (4, 1)))

    def score(p):
        seen.append(p)
        return float(np.mean(p.argmax(1) == again.targets_NC.argmax(1))), None

    schedule = replace(SMALL, dropout=0.5)
    valid = replace(again, score=score)
    got = probe([replace(splits[0], valid=valid, test=again)], "multiclass", schedule, POINTS)
    fewer = replace(splits[0], valid=valid, test=Part(x, y))
    alone = probe([fewer], "multiclass", schedule, POINTS)
    for p in [*seen, got.predictions[0]]:
        np.testing.assert_allclose(p, np.tile(p[:3], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(alone.predictions[0], got.predictions[0][:3], atol=1e-6)


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


class Given(nn.Module):
    """A dropout that takes what it is told."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate if self.training else x


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_step_is_that_of_torchs_layers(layers):
    """Outputs, gradients and running statistics in training, with the same rows dropped."""
    point = Point(layers, 1, "xavier_normal")
    ours = Network(point, 5, 3, 7, (0,)).double()
    theirs = as_plain(ours, point).double()
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(0)).double()
    gates = [dropout_gate((9, 7), 0.3, (layer,)).double() for layer in range(layers)]
    for layer, gate in enumerate(gates):
        theirs[4 * layer + 2] = Given(gate)
    out, expected = ours(x, gates), theirs(x)
    torch.testing.assert_close(out, expected)
    out.square().sum().backward(), expected.square().sum().backward()
    for layer, linear in enumerate(ours.linears):
        torch.testing.assert_close(linear.weight.grad, theirs[4 * layer].weight.grad)
    for layer, norm in enumerate(ours.norms):
        other = theirs[4 * layer + 1]
        torch.testing.assert_close(norm.weight.grad, other.weight.grad)
        torch.testing.assert_close(norm.bias.grad, other.bias.grad)
        torch.testing.assert_close(norm.running_var, other.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


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
        net = Network(Point(2, 1e-3, init), 200, 50, 300, (0,))
        weights = [linear.weight for linear in net.linears]
        for weight, gain in zip(weights, (1, 2**0.5, 2**0.5), strict=True):
            expected = gain * (2 / sum(weight.shape)) ** 0.5
            assert weight.std().item() == pytest.approx(expected, rel=0.03)
        bounded = weights[0].abs().max().item() <= (6 / 500) ** 0.5
        assert bounded == (init == "xavier_uniform")
        biases = [*[norm.running_mean for norm in net.norms], net.linears[-1].bias]
        for bias, width in zip(biases, (200, 300, 300), strict=True):
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
    net = Network(GRID[0], 3, 2, 4, (0,))
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
    best, grid, _, predictions = plain_way(splits, "multiclass", SMALL)
    got = probe(splits, "multiclass", SMALL, POINTS)
    nans = [np.isnan(row.score) for row in grid]
    assert any(nans) and not all(nans)
    assert [np.isnan(row.score) for row in got.grid] == nans
    assert [row.epochs for row in got.grid] == [row.epochs for row in grid]
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


def test_training_ends_where_nothing_can_change():
    """Easy data: fewer epochs, the same winner, epoch and predictions."""
    splits = held_out(noise=0.3)
    splits = [replace(splits[0], valid=part(45, 2, noise=0.3))]
    short = probe(splits, "multiclass", SMALL, POINTS)
    best, _, fold_rows, predictions = plain_way(splits, "multiclass", SMALL)
    assert short.folds[0].score == 1.0
    assert short.folds[0].point == POINTS[best] and short.folds[0].epoch == fold_rows[0].epoch
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


def test_company_changes_not_a_bit_and_a_seed_changes_all():
    splits, thinned = held_out(), replace(SMALL, dropout=0.2)
    alone = [probe(splits, "multiclass", thinned, [point]) for point in POINTS]
    together = probe(splits, "multiclass", thinned, POINTS)
    assert together.grid == tuple(found.grid[0] for found in alone)
    won = alone[POINTS.index(together.folds[0].point)].predictions[0]
    np.testing.assert_array_equal(together.predictions[0], won)
    other = probe(splits, "multiclass", thinned, POINTS[:1], seed=1)
    assert np.abs(other.predictions[0] - alone[0].predictions[0]).max() > 1e-3
