"""A linear layer trained by AdamW with its gradient written out: tiny steps, thousands of them.

torch's automatic gradient and optimizer take ten times as long for a step of 32 rows, nearly all
of it between the products. The steps are the same, as the tests show.

Shapes: N rows, B rows of a batch, D features and P = D + 1 with a constant one, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from scipy.special import expit
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

Steps = Iterable[tuple[Tensor, float]]  # the numbers of a batch's rows, and the learning rate
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # torch's


def descend_linear(
    layer: nn.Linear,
    epochs: Iterable[Steps],
    x_ND: np.ndarray,
    y_NC: np.ndarray,
    multilabel: bool,
    decay: float,
) -> Iterator[None]:
    """Train a layer in place; yields after each epoch.

    Args:
        y_NC: 0 or 1; exactly one 1 a row unless ``multilabel``.
        decay: weight decay of AdamW, of weights and biases; 0 is Adam.
    """
    x_NP = np.concatenate([x_ND, np.ones((len(x_ND), 1))], 1, dtype=np.float32)
    w_PC = np.concatenate([layer.weight.detach().numpy().T, layer.bias.detach().numpy()[None]])
    mean_PC, square_PC, step = np.zeros_like(w_PC), np.zeros_like(w_PC), 0
    with threadpool_limits(1, user_api="blas"):  # products this small only wait for each other
        for steps in epochs:
            for rows, rate in steps:
                step += 1
                x_BP, y_BC = x_NP[rows.numpy()], y_NC[rows.numpy()]
                slope_BC = (expit if multilabel else _softmax)(x_BP @ w_PC) - y_BC
                slope_BC /= slope_BC.size if multilabel else len(slope_BC)
                slope_PC = x_BP.T @ slope_BC
                mean_PC += np.float32(1 - BETA1) * (slope_PC - mean_PC)
                square_PC *= np.float32(BETA2)
                square_PC += np.float32(1 - BETA2) * slope_PC * slope_PC
                size_PC = np.sqrt(square_PC)
                size_PC *= np.float32((1 - BETA2**step) ** -0.5)
                size_PC += np.float32(EPS)
                w_PC *= np.float32(1 - rate * decay)
                w_PC -= np.float32(rate / (1 - BETA1**step)) * mean_PC / size_PC
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w_PC[:-1].T))
                layer.bias.copy_(torch.from_numpy(w_PC[-1]))
            yield


def _softmax(x_BC: np.ndarray) -> np.ndarray:
    x_BC = np.exp(x_BC - x_BC.max(1, keepdims=True))
    return x_BC / x_BC.sum(1, keepdims=True)
