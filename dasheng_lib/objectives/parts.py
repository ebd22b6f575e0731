"""Small parts that several pretext tasks share.

Shapes: B clips, T frames, V codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

PROJECTOR_NORMS = ("hidden", "every", "none")


def hidden_weights(mask_BT: Tensor) -> Tensor:
    """What each hidden frame counts in a mean, ``[B, T]``; 0 for others, 1 in all.

    Every clip counts alike, however many of its frames are hidden, so that a batch computed in
    parts has the mean of its parts.
    """
    return mask_BT / mask_BT.sum(1, keepdim=True).clamp_min(1) / len(mask_BT)


def perplexity(weight_V: Tensor) -> Tensor:
    """exp(entropy) of non-negative weights over their last axis: how many codes are in use.

    1 if all weight lies on one code, V if it is even.
    """
    share_V = weight_V / weight_V.sum(-1, keepdim=True).clamp_min(1e-12)
    # The entropy's slope at 0 is infinite, and an unused code's share may well underflow.
    return torch.special.entr(share_V.clamp_min(1e-12)).sum(-1).exp()


def damp_gradient(x: Tensor, factor: float) -> Tensor:
    """``x``, through which gradients come back times ``factor``.

    Of little weight here: Adam divides by the size of a gradient, so only clipping sees it.
    """
    if x.requires_grad:
        x.register_hook(lambda gradient: gradient * factor)
    return x


def counts(codes: Tensor, mask_BT: Tensor, V: int) -> Tensor:
    """How often each of V codes stands at a hidden frame, float32 [V]."""
    return torch.bincount(codes[mask_BT], minlength=V).float()


def mlp(widths: Sequence[int], norm: str = "hidden", bias: bool = True) -> nn.Sequential:
    """Projector or predictor: linear layers from each width to the next, ReLU between them.

    Args:
        norm: which layers have batch normalisation behind them: ``"hidden"``, ``"every"`` (what
            comes out then has mean 0 and deviation 1 over a batch), ``"none"``. Where it is given
            the vectors of all processes, its statistics are those of all.
        bias: of the last layer; the others have none, which a norm would take out again.

    Raises:
        ValueError: no such choice.
    """
    if norm not in PROJECTOR_NORMS:
        raise ValueError(f"projector_norm is {' or '.join(PROJECTOR_NORMS)}, not {norm!r}")
    parts: list[nn.Module] = []
    for before, width in pairwise(widths[:-1]):
        parts.append(nn.Linear(before, width, bias=False))
        parts += [nn.BatchNorm1d(width)] if norm != "none" else []
        parts.append(nn.ReLU())
    parts.append(nn.Linear(*widths[-2:], bias=bias))
    parts += [nn.BatchNorm1d(widths[-1], affine=False)] if norm == "every" else []
    return nn.Sequential(*parts)
