"""What is known of processors, measured on Zen 4 with torch 2.13: the same numbers, sooner.

Nothing here changes what is computed; each function stands for a plain one of PyTorch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.tensors import array_of

LARGE = 1 << 22  # numbers in a product
GROUP = 64  # numbers of which the largest is looked at first


def product(a_MD: Tensor, b_ND: Tensor, out_MN: Tensor) -> None:
    """``torch.mm(a_MD, b_ND.T, out=out_MN)``, float32.

    Large ones are NumPy's, whose OpenBLAS takes three quarters of the time of PyTorch's MKL on
    AMD; its threads wait by spinning, which makes small products slow on busy cores.
    """
    if out_MN.numel() < LARGE:
        torch.mm(a_MD, b_ND.T, out=out_MN)
    else:
        np.matmul(a_MD.numpy(), b_ND.numpy().T, out=out_MN.numpy())


def largest(x_MN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """``x_MN.topk(k, 1)``; few of many are in the k groups of the largest maxima."""
    _, N = x_MN.shape
    if N % GROUP or 4 * k * GROUP > N:
        return tuple(x_MN.topk(k, 1))
    x_MGn = x_MN.view(len(x_MN), -1, GROUP)
    group_Mk = x_MGn.amax(2).topk(k, 1).indices
    value_Mk, place_Mk = x_MGn[torch.arange(len(x_MN))[:, None], group_Mk].flatten(1).topk(k, 1)
    return value_Mk, group_Mk.gather(1, place_Mk // GROUP) * GROUP + place_Mk % GROUP


def finite(x: Tensor) -> bool:
    """``x.isfinite().all()``, by NumPy on CPUs: five times as fast, in one thread."""
    return bool(np.isfinite(array_of(x)).all() if x.device.type == "cpu" else x.isfinite().all())


def two_products_are_faster(qkv: Tensor, head_dim: int) -> bool:
    """Whether :func:`two_products` beats ``scaled_dot_product_attention``.

    On CPUs torch's fused kernel is slower in bfloat16 than in float32 (58 and 66 GFLOP/s a core
    for heads of 64); two batched products with a softmax between reach 80. For heads of 32 they
    are slower, and their gradient gains nothing.
    """
    suits = head_dim >= 64 and not qkv.requires_grad
    return suits and qkv.device.type == "cpu" and qkv.dtype == torch.bfloat16


def two_products(q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor) -> Tensor:
    """``scaled_dot_product_attention`` of contiguous tensors, without a mask."""
    q_NTd, k_NTd, v_NTd = (x.flatten(0, 1) for x in (q_BHTd, k_BHTd, v_BHTd))
    scale = q_NTd.shape[-1] ** -0.5
    score_NTT = torch.baddbmm(q_NTd.new_empty(1), q_NTd, k_NTd.transpose(1, 2), beta=0, alpha=scale)
    return (score_NTT.softmax(-1) @ v_NTd).view_as(q_BHTd)
