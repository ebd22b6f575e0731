"""The heads of the benchmark ARCH.

Shapes: N training rows, D features, C classes.

Source: ARCH (arXiv 2405.00934) and its released code. There the seed is not set and the schedule
moves one step too many in each epoch, which is not repeated here. What it calls its best
validation is the last epoch in effect; here each of the two has its name.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from dasheng_lib.evaluation.probes.classifier import Classifier, Features, Selector, Turn
from dasheng_lib.evaluation.probes.heads import (
    Attention,
    OneHidden,
    as_input,
    descend,
    first_weights,
    outputs,
    read,
)
from dasheng_lib.evaluation.probes.mlp.training import loss_of

RATE, WARMUP = 1e-3, 0.1  # AdamW's learning rate, and the share of steps until it is reached
DECAY = 0.01  # torch's default
Head = Callable[[int, int, torch.Generator], nn.Module]  # from D and C


def linear(D: int, C: int, generator: torch.Generator) -> nn.Module:
    """One layer."""
    return nn.Linear(D, C)


def nonlinear(D: int, C: int, generator: torch.Generator) -> nn.Module:
    """One hidden layer as wide as the embedding."""
    return OneHidden(D, D, C, 0.1, generator)


def attention(D: int, C: int, generator: torch.Generator) -> nn.Module:
    """Of frames: attention pooling, then one layer."""
    return Attention(D, C)


def arch(
    multilabel: bool = False,
    seed: int = 0,
    head: Head = linear,
    epochs: int = 200,
    batch: int = 32,
) -> Classifier:
    """Features as they are, AdamW with 1e-3, a tenth of the steps up and the rest down to 0, the
    last epoch's weights. Scores are logits.

    Args:
        head: :func:`linear`, :func:`nonlinear` or :func:`attention`.
    """

    def scores(train: Features, train_NC: np.ndarray, test: Features) -> np.ndarray:
        *_, network = _epochs(head, train, train_NC, multilabel, seed, epochs, batch)
        return outputs(network, as_input(test)).numpy()

    return scores


def arch_best(
    multilabel: bool = False,
    seed: int = 0,
    head: Head = linear,
    epochs: int = 200,
    batch: int = 32,
) -> Selector:
    """As :func:`arch`, but with the weights of the epoch of least loss on the validation split,
    of equal ones the first."""

    def scores(turns: Iterable[Turn]) -> Iterator[np.ndarray]:
        for turn in turns:
            valid, y_NC = as_input(turn.valid), torch.tensor(turn.valid_NC, dtype=torch.float32)
            least, kept = math.inf, None
            training = _epochs(head, turn.train, turn.train_NC, multilabel, seed, epochs, batch)
            for network in training:
                loss = loss_of(outputs(network, valid), y_NC, multilabel).item()
                if kept is None or loss < least:
                    least, kept = loss, copy.deepcopy(network.state_dict())
            network.load_state_dict(kept)
            yield outputs(network, as_input(turn.test)).numpy()

    return scores


def _epochs(
    head: Head,
    train: Features,
    train_NC: np.ndarray,
    multilabel: bool,
    seed: int,
    epochs: int,
    batch: int,
) -> Iterator[nn.Module]:
    """The network, after each epoch."""
    generator = torch.Generator().manual_seed(seed)
    x, y_NC = as_input(train), torch.tensor(train_NC, dtype=torch.float32)
    D = read(x, torch.arange(1))[0].shape[-1]
    network = first_weights(head(D, y_NC.shape[1], generator), generator)
    each = -(-len(x) // batch)

    def steps(epoch: int) -> Iterator[tuple[Tensor, float]]:
        for i, rows in enumerate(torch.randperm(len(x), generator=generator).split(batch)):
            yield rows, rate(epoch * each + i, epochs * each)

    for _ in descend(network, map(steps, range(epochs)), x, y_NC, multilabel, DECAY):
        yield network


def rate(step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0."""
    warmup = max(round(WARMUP * steps), 1)
    return RATE * min((step + 1) / warmup, (steps - step) / max(steps - warmup, 1))
