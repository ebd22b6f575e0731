"""Arrays as tensors."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.arrays import numbers


def view(array: Tensor | np.ndarray, name: str = "rows") -> Tensor:
    """The array as a tensor without a copy, for reading only; a memory map stays one.

    Raises:
        ValueError: it is not numbers.
    """
    if not isinstance(array, Tensor):
        array = numbers(array, name)
        if any(stride < 0 for stride in array.strides):
            array = array.copy()
    elif array.is_complex() or array.layout != torch.strided or array.is_quantized:
        raise ValueError(f"{name} are dense numbers, not {array.dtype} ({array.layout})")
    elif array.dtype == torch.bool:
        array = array.view(torch.uint8)
    with warnings.catch_warnings():
        # PyTorch warns of read-only arrays, into which nobody here writes.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(array)


def array_of(x: Tensor) -> Tensor | np.ndarray:
    """The same memory as a NumPy array (a copy of bfloat16); on a card, the tensor itself."""
    if x.device.type != "cpu":
        return x
    return (x.float() if x.dtype == torch.bfloat16 else x).detach().numpy()
