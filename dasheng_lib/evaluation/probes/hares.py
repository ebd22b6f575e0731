"""The heads of the benchmark HARES on global averages of a frozen encoder's last layer.

Shapes: N training rows, D features, C classes.

Source: HARES (arXiv 2111.12124), section 3 and appendix A. Its example mixing on AudioSet and its
augmented copies of ESC-50 change the audio before it is embedded, and are not done here. First
weights are not stated: torch's default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from dasheng_lib.evaluation.probes.classifier import Classifier
from dasheng_lib.evaluation.probes.heads import (
    OneHidden,
    as_input,
    descend,
    first_weights,
    outputs,
)

RATE, WARMUP = 2e-4, 5000  # Adam's learning rate, and the steps until it is reached
DESK = 1 / 20  # of the paper's steps, where nobody waits for all


def hares(
    multilabel: bool = False,
    seed: int = 0,
    hidden: int = 0,
    batch: int = 64,
    whole: int = 400_000,
    share: float = DESK,
) -> Classifier:
    """Features as they are, Adam, its rate up to 2e-4 in 5,000 steps and down to 0 along a cosine.
    Scores are logits.

    Args:
        hidden: units of a hidden layer with ReLU; 0 for one linear layer.
        batch: rows of a step, from one shuffle of all after the other.
        whole: steps of the paper.
        share: of them that are taken, in (0, 1]; the warm-up shrinks with them.
    """
    steps, warmup = round(whole * share), round(WARMUP * share)

    def scores(train_ND, train_NC, test_MD):
        generator = torch.Generator().manual_seed(seed)
        x_ND, y_NC = as_input(train_ND), torch.tensor(train_NC, dtype=torch.float32)
        D, C = x_ND.shape[1], y_NC.shape[1]
        head = OneHidden(D, hidden, C, 0, generator) if hidden else nn.Linear(D, C)
        first_weights(head, generator)
        rates = (rate(step, steps, warmup) for step in range(steps))
        rows = islice(_batches(len(x_ND), batch, generator), steps)
        for _ in descend(head, [zip(rows, rates, strict=True)], x_ND, y_NC, multilabel):
            pass
        return outputs(head, as_input(test_MD)).numpy()

    return scores


def rate(step: int, steps: int, warmup: int) -> float:
    """The learning rate of a step, counted from 0: 0 there, the peak at ``warmup``."""
    if step < warmup:
        return RATE * step / warmup
    return RATE * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def _batches(N: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    left = torch.empty(0, dtype=torch.long)
    while True:
        while len(left) < batch:
            left = torch.cat([left, torch.randperm(N, generator=generator)])
        yield left[:batch]
        left = left[batch:]
