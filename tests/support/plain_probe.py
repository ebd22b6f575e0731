"""heareval's probe the straightforward way: one model at a time, modules, autograd, Adam.

Only the random numbers are injected: first weights and dropout masks are ours. It computes in
float64: in float32 the bias in front of a BatchNorm, whose gradient is 0, is driven about by
Adam on nothing but the rounding of that 0 (by 6e-4 in predictions after a dozen epochs).
"""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dasheng_lib.evaluation.probes.mlp.networks import Point, dropout_gate, initial_network
from dasheng_lib.evaluation.probes.mlp.probe import Part, Split
from dasheng_lib.evaluation.probes.mlp.training import DROPOUT, Course, Schedule, _weight_seed


class GivenDropout(nn.Module):
    def forward(self, x):
        return x * self.mask if self.training else x


def plain_model(point: Point, D: int, C: int, schedule: Schedule, seed: int, fold: int):
    start = initial_network(point, D, C, schedule.hidden, _weight_seed(seed, Course(point, fold)))
    layers, width = [], D
    for layer in range(point.layers):
        linear = nn.Linear(width, schedule.hidden)
        linear.weight.data = start.weight[layer][0].clone()
        linear.bias.data = -start.mean[layer][0, 0]
        layers += [linear, nn.BatchNorm1d(schedule.hidden), GivenDropout(), nn.ReLU()]
        width = schedule.hidden
    last = nn.Linear(width, C)
    last.weight.data, last.bias.data = start.weight[-1][0].clone(), start.bias[0][0, 0].clone()
    return nn.Sequential(*layers, last).double()


def plain_train(point, split: Split, multilabel, schedule: Schedule, seed=0, fold=0):
    """(model at its best, its score, epoch and choice, epochs)."""
    x = torch.from_numpy(np.concatenate([part.features_ND for part in split.train])).double()
    y = torch.from_numpy(np.concatenate([part.targets_NC for part in split.train])).double()
    model = plain_model(point, x.shape[1], y.shape[1], schedule, seed, fold)
    optimizer = torch.optim.Adam(model.parameters(), lr=point.lr)
    best, waited, step = None, 0, 0
    for epoch in range(1, schedule.max_epochs + 1):
        model.train()
        for x_B, y_B in zip(x.split(schedule.batch), y.split(schedule.batch), strict=True):
            if len(x_B) == 1:
                continue
            dropouts = [module for module in model if isinstance(module, GivenDropout)]
            for layer, module in enumerate(dropouts):
                numbers = (seed, fold, DROPOUT, layer, step)
                shape = (len(x_B), schedule.hidden)
                module.mask = dropout_gate(shape, schedule.dropout, numbers).double()
            out = model(x_B)
            if multilabel:
                loss = F.binary_cross_entropy_with_logits(out, y_B)
            else:
                loss = F.cross_entropy(out, y_B.argmax(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        if epoch % schedule.every:
            continue
        out = plain_outputs(model, split.valid)
        score, choice = split.valid.score(plain_probabilities(out, multilabel))
        if schedule.by_loss:
            y_valid = torch.from_numpy(split.valid.targets_NC).double()
            if multilabel:
                score = -F.binary_cross_entropy_with_logits(out, y_valid).item()
            else:
                score = -F.cross_entropy(out, y_valid.argmax(1)).item()
        if best is None or score > best[1]:
            best, waited = (copy.deepcopy(model), score, epoch, choice), 0
        else:
            waited += 1
        if not math.isfinite(score) or waited == schedule.patience:
            break
    return *best, epoch


@torch.no_grad()
def plain_outputs(model, part: Part):
    return model.eval()(torch.from_numpy(part.features_ND).double())


def plain_probabilities(out, multilabel):
    return (out.sigmoid() if multilabel else out.softmax(1)).float().numpy()


def plain_probe(splits, prediction, schedule, points, seed=0):
    """Grid on the first split as (score, epoch, choice), winner's folds likewise, predictions."""
    multilabel = prediction == "multilabel"
    grid = [plain_train(point, splits[0], multilabel, schedule, seed) for point in points]
    best = 0
    for i, (_, score, *_) in enumerate(grid):
        if score > grid[best][1] or (math.isnan(grid[best][1]) and not math.isnan(score)):
            best = i
    folds = [grid[best]]
    for fold in range(1, len(splits)):
        folds.append(plain_train(points[best], splits[fold], multilabel, schedule, seed, fold))
    predictions = [
        plain_probabilities(plain_outputs(model, split.test), multilabel)
        for (model, *_), split in zip(folds, splits, strict=True)
    ]
    return best, [row[1:] for row in grid], [row[1:] for row in folds], predictions
