"""Attention of tokens among themselves: in whole rows, under a mask, or in packed chunks.

Shapes: B rows, T tokens, S tokens of all chunks together, D width, E = 3 D (query, key, value).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dasheng_lib.common.fast_cpu import two_products, two_products_are_faster

Attention = Callable[[Tensor, int], Tensor]
Runs = Sequence[tuple[int, int]]  # (chunks, tokens in each of them), one after the other


def attend(qkv_BTE: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Softmax attention within each row, ``[B, T, D]``.

    Args:
        qkv_BTE: queries, keys and values side by side, each of all heads.
        heads: number of heads.
        bias: added to the scores before the softmax; broadcasts to ``[B, heads, T, T]``.
    """
    B, T, E = qkv_BTE.shape
    head_dim = E // 3 // heads
    qkv_3BHTd = qkv_BTE.view(B, T, 3, heads, head_dim).permute(2, 0, 3, 1, 4)
    if bias is None and two_products_are_faster(qkv_BTE, head_dim):
        out_BHTd = two_products(*qkv_3BHTd.contiguous())
    else:
        out_BHTd = F.scaled_dot_product_attention(*qkv_3BHTd, attn_mask=bias)
    return out_BHTd.transpose(1, 2).reshape(B, T, E // 3)


def attend_to(qkv_BTE: Tensor, heads: int, valid_BT: Tensor) -> Tensor:
    """As :func:`attend`, with only the valid tokens as keys."""
    # The lowest finite score, not -inf: without any key that averages and is not NaN.
    lowest = torch.finfo(qkv_BTE.dtype).min
    bias = qkv_BTE.new_zeros(valid_BT.shape).masked_fill(~valid_BT, lowest)
    return attend(qkv_BTE, heads, bias[:, None, None])


def attend_in_runs(qkv_SE: Tensor, heads: int, runs: Runs) -> Tensor:
    """As :func:`attend`, within each chunk of a packed row, ``[S, D]``.

    Nothing is padded and nothing masked: chunks of one length are a batch, so a chunk cannot
    see what lies beside it.
    """
    parts = qkv_SE.split([chunks * tokens for chunks, tokens in runs])
    return torch.cat(
        [
            attend(part.view(chunks, tokens, -1), heads).flatten(0, 1)
            for part, (chunks, tokens) in zip(parts, runs, strict=True)
        ]
    )
