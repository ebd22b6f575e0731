"""ARCH's heads against plain trainings, written from the benchmark's description alone."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from dasheng_lib.evaluation.embed import Embedded
from dasheng_lib.evaluation.probes.arch import arch, arch_best, attention, nonlinear
from dasheng_lib.evaluation.probes.classifier import Turn

D, C, N = 7, 3, 83  # the last batch of an epoch is smaller
EPOCHS = 30


def drawn(n, seed, multilabel=False):
    rng = np.random.default_rng(seed)
    y = rng.random((n, C)) < 0.4 if multilabel else np.eye(C)[rng.integers(C, size=n)]
    x = rng.normal(size=(n, D)) + 1.5 * y @ np.eye(C, D)
    return x.astype(np.float32), y.astype(np.float32)


def plain(make, x, y, test, multilabel=False, seed=0, forward=None, valid=None):
    """A network, AdamW with 1e-3, batches of 32, a tenth of the steps up and the others down."""
    forward = forward or (lambda network, rows, i: network(rows[i]))
    torch.manual_seed(seed)
    network = make()
    targets = torch.tensor(y)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    steps = EPOCHS * math.ceil(len(y) / 32)
    up = round(steps / 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: (s + 1) / up if s < up else (steps - s) / (steps - up)
    )

    def loss(out, y):
        if multilabel:
            return nn.BCELoss()(out.sigmoid(), y)
        return nn.CrossEntropyLoss()(out, y.argmax(1))

    answers, losses = [], []
    for _ in range(EPOCHS):
        network.train()
        for i in torch.randperm(len(y)).split(32):
            optimizer.zero_grad()
            loss(forward(network, x, i), targets[i]).backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            answers.append(forward(network, test, torch.arange(len(test))).numpy())
            if valid:
                out = forward(network, valid[0], torch.arange(len(valid[0])))
                losses.append(loss(out, torch.tensor(valid[1])).item())
    return answers[int(np.argmin(losses))] if valid else answers[-1]


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_linear_head_is_one_plain_layer(multilabel, seed):
    (x, y), (test, _) = drawn(N, 1, multilabel), drawn(40, 2)
    expected = plain(
        lambda: nn.Linear(D, C), torch.tensor(x), y, torch.tensor(test), multilabel, seed
    )
    found = arch(multilabel, seed, epochs=EPOCHS)(x, y, test)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    other = arch(multilabel, seed + 1, epochs=EPOCHS)(x, y, test)
    assert np.abs(other - found).max() > 1e-2


def test_the_nonlinear_head_has_a_hidden_layer_as_wide_as_the_embedding():
    (x, y), (test, _) = drawn(N, 1), drawn(40, 2)

    def make():
        return nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Dropout(0.1), nn.Linear(D, C))

    expected = plain(make, torch.tensor(x), y, torch.tensor(test))
    found = arch(head=nonlinear, epochs=EPOCHS)(x, y, test)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


class Pooled(nn.Module):
    """One clip at a time."""

    def __init__(self):
        super().__init__()
        self.score, self.out = nn.Linear(D, 1), nn.Linear(D, C)

    def forward(self, x_TD):
        weight_T = torch.softmax(self.score(x_TD)[:, 0], 0)
        return self.out(weight_T @ x_TD)


@pytest.mark.parametrize("ragged", [False, True])
def test_attention_weighs_the_frames_of_each_clip(ragged):
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 9, size=N + 40) if ragged else np.full(N + 40, 5)
    starts = np.concatenate([[0], np.cumsum(counts)])
    frames = Embedded(rng.normal(size=(starts[-1], D)).astype(np.float32), starts)
    train, test = frames.take(np.arange(N)), frames.take(np.arange(N, N + 40))
    _, y = drawn(N, 1)

    def forward(network, clips, rows):
        return torch.stack([network(torch.tensor(clips[i])) for i in rows.tolist()])

    expected = plain(Pooled, train, y, test, forward=forward)
    found = arch(head=attention, epochs=EPOCHS)(train, y, test)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_best_weights_are_those_of_the_least_loss_in_validation():
    (x, y), (test, _), (valid, truth) = drawn(N, 1), drawn(40, 2), drawn(25, 3)
    # a validation that contradicts the training is best early on
    for told in (truth, np.roll(truth, 1, axis=1)):
        turn = Turn(x, y, test, valid, told)
        (found,) = arch_best(epochs=EPOCHS)([turn])
        given = [torch.tensor(a) for a in (x, test, valid)]
        expected = plain(lambda: nn.Linear(D, C), given[0], y, given[1], valid=(given[2], told))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    last = arch(epochs=EPOCHS)(x, y, test)
    assert np.abs(found - last).max() > 1e-2


@pytest.mark.parametrize("head", [nonlinear, attention])
def test_small_steps_are_taken_by_one_thread_and_the_others_come_back(head, monkeypatch):
    (x, y), (test, _) = drawn(N, 1), drawn(40, 2)
    if head is attention:
        x, test = (Embedded(rows, np.arange(len(rows) + 1)) for rows in (x, test))
    threads, step = [], torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self: threads.append(torch.get_num_threads()) or step(self),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        arch(head=head, epochs=2)(x, y, test)
        assert set(threads) == {1} and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
