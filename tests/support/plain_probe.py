"""heareval's probe from its published protocol: torch's own parts, one network at a time.

Nothing of it is the library's; random numbers are torch's own, unless a test hands in the first
networks. It computes in float64: in float32 the bias in front of a BatchNorm, whose gradient is
0, is driven about by Adam on nothing but the rounding of that 0.

The protocol: h x [Linear, BatchNorm, Dropout, ReLU], then Linear; Xavier with gain 1 for the
first and sqrt(2) for every later Linear; Adam, no schedule, no decay; batches in file order, a
last one of a single row left out; a validation every few epochs, the best kept, an equal one not;
an end after as many validations without a gain, or a score that is not finite; the grid on the
first split, its winner on all.
"""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Run(NamedTuple):
    """A network at its best, with the score, epoch and choice of then, and all its epochs."""

    network: nn.Sequential
    score: float
    epoch: int
    choice: object
    epochs: int


def first_network(point, D, C, hidden, dropout, seed):
    torch.manual_seed(seed)
    layers, width = [], D
    for _ in range(point.layers):
        linear = nn.Linear(width, hidden)
        layers += [linear, nn.BatchNorm1d(hidden), nn.Dropout(dropout), nn.ReLU()]
        width = hidden
    layers += [nn.Linear(width, C)]
    for i, linear in enumerate(part for part in layers if isinstance(part, nn.Linear)):
        draw = {"xavier_uniform": nn.init.xavier_uniform_, "xavier_normal": nn.init.xavier_normal_}
        draw[point.init](linear.weight, gain=math.sqrt(2) if i else 1.0)
    return nn.Sequential(*layers)


def plain_train(network, lr, split, multilabel, schedule):
    x = torch.from_numpy(np.concatenate([part.features_ND for part in split.train])).double()
    y = torch.from_numpy(np.concatenate([part.targets_NC for part in split.train])).double()
    network = network.double()
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    best, waited = None, 0
    for epoch in range(1, schedule.max_epochs + 1):
        network.train()
        for x_B, y_B in zip(x.split(schedule.batch), y.split(schedule.batch), strict=True):
            if len(x_B) > 1:
                optimizer.zero_grad()
                plain_loss(network(x_B), y_B, multilabel).backward()
                optimizer.step()
        if epoch % schedule.every:
            continue
        out = plain_outputs(network, split.valid)
        score, choice = split.valid.score(plain_probabilities(out, multilabel))
        if schedule.by_loss:
            y_valid = torch.from_numpy(split.valid.targets_NC).double()
            score = -plain_loss(out, y_valid, multilabel).item()
        waited += 1
        if best is None or score > best[1]:
            best, waited = (copy.deepcopy(network), score, epoch, choice), 0
        if not math.isfinite(score) or waited == schedule.patience:
            break
    return Run(*best, epoch)


def plain_loss(out, y, multilabel):
    if multilabel:
        return F.binary_cross_entropy_with_logits(out, y)
    return F.cross_entropy(out, y.argmax(1))


@torch.no_grad()
def plain_outputs(network, part):
    return network.eval()(torch.from_numpy(part.features_ND).double())


def plain_probabilities(out, multilabel):
    return (out.sigmoid() if multilabel else out.softmax(1)).float().numpy()


def plain_probe(splits, prediction, schedule, points, begin=None, seed=0):
    """Number of the winner, runs of the grid on the first split and of the winner on each.

    Args:
        begin: the first network of a point on a split by its number; by default another for each.

    Returns:
        Also the winner's predictions for each test part.
    """
    multilabel = prediction == "multilabel"
    D, C = (x.shape[1] for x in (splits[0].valid.features_ND, splits[0].valid.targets_NC))

    def run(point, fold):
        if begin is not None:
            network = begin(point, fold)
        else:
            own = 1000 * seed + 100 * fold + points.index(point)
            network = first_network(point, D, C, schedule.hidden, schedule.dropout, own)
        return plain_train(network, point.lr, splits[fold], multilabel, schedule)

    grid = [run(point, 0) for point in points]
    best = 0
    for i, (_, score, *_) in enumerate(grid):
        if score > grid[best].score or (math.isnan(grid[best].score) and not math.isnan(score)):
            best = i
    folds = [grid[best], *[run(points[best], fold) for fold in range(1, len(splits))]]
    predictions = [
        plain_probabilities(plain_outputs(won.network, split.test), multilabel)
        for won, split in zip(folds, splits, strict=True)
    ]
    return best, grid, folds, predictions
