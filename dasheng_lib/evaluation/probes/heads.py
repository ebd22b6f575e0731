"""Heads on frozen embeddings that ARCH and HARES train by gradient descent, and how.

Shapes: N rows, B rows of a batch, T frames, D features, H hidden units, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from dasheng_lib.common.tensors import view
from dasheng_lib.evaluation.embed import Embedded
from dasheng_lib.evaluation.probes.classifier import Features
from dasheng_lib.evaluation.probes.linear_descent import Steps, descend_linear
from dasheng_lib.evaluation.probes.mlp.training import loss_of

ROWS_AT_ONCE = 256  # in evaluation


class OneHidden(nn.Module):
    """Linear, ReLU, dropout, Linear; what dropout takes away is drawn from ``generator``."""

    def __init__(self, D: int, H: int, C: int, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(D, H), nn.Linear(H, C)
        self.kept, self.generator = 1 - dropout, generator

    def forward(self, x_BD: Tensor) -> Tensor:
        """Logits [B, C]."""
        x_BH = self.hidden(x_BD).relu()
        if self.training and self.kept < 1:
            gate_BH = torch.empty_like(x_BH).bernoulli_(self.kept, generator=self.generator)
            x_BH = x_BH * (gate_BH / self.kept)
        return self.out(x_BH)


class Attention(nn.Module):
    """A linear score a frame, softmax over the frames of a clip, their weighted sum, Linear."""

    def __init__(self, D: int, C: int) -> None:
        super().__init__()
        self.score, self.out = nn.Linear(D, 1), nn.Linear(D, C)

    def forward(self, x_BTD: Tensor, heard_BT: Tensor) -> Tensor:
        """Logits [B, C]; ``heard_BT`` is false where a clip has no more frames."""
        score_BT = self.score(x_BTD).squeeze(2).masked_fill(~heard_BT, -torch.inf)
        return self.out((score_BT.softmax(1)[:, None] @ x_BTD).squeeze(1))


def first_weights(head: nn.Module, generator: torch.Generator) -> nn.Module:
    """torch's default, uniform within 1 / sqrt(inputs), layer after layer; gives the head back."""
    for layer in head.modules():
        if isinstance(layer, nn.Linear):
            for parameter in (layer.weight, layer.bias):
                bound = layer.in_features**-0.5
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return head


def descend(
    head: nn.Module,
    epochs: Iterable[Steps],
    x: Tensor | Embedded,
    y_NC: Tensor,
    multilabel: bool,
    decay: float = 0.0,
) -> Iterator[None]:
    """Train a head by AdamW; yields after each epoch.

    Args:
        epochs: of each the steps: numbers of rows, and the learning rate.
        decay: weight decay; 0 is Adam.
    """
    if isinstance(head, nn.Linear):
        yield from descend_linear(head, epochs, x.numpy(), y_NC.numpy(), multilabel, decay)
        return
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=decay, fused=True)
    with one_thread():
        for steps in epochs:
            head.train()
            for rows, rate in steps:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.zero_grad()
                loss_of(head(*read(x, rows)), y_NC[rows], multilabel).backward()
                optimizer.step()
            yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work alone: steps of a millisecond gain little from a second thread, and where
    the processor has other work they wait for it many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def outputs(head: nn.Module, x: Tensor | Embedded) -> Tensor:
    """Logits of all rows, [N, C]."""
    head.eval()
    parts = torch.arange(len(x)).split(ROWS_AT_ONCE)
    return torch.cat([head(*read(x, rows)) for rows in parts])


def as_input(x: Features) -> Tensor | Embedded:
    """Vectors as a tensor, float32; frames stay on disk."""
    return x if isinstance(x, Embedded) else view(np.ascontiguousarray(x, np.float32))


def read(x: Tensor | Embedded, rows: Tensor) -> tuple[Tensor, ...]:
    """What a head is given of some rows: [B, D]; of frames [B, T, D], and which are a clip's."""
    if isinstance(x, Tensor):
        return (x[rows],)
    clips = [view(x[row]) for row in rows.tolist()]
    x_BTD = pad_sequence(clips, batch_first=True)
    counts_B = torch.tensor([len(clip) for clip in clips])
    return x_BTD, torch.arange(x_BTD.shape[1]) < counts_B[:, None]
