"""Arrays as tensors."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor


def view(array: Tensor | np.ndarray) -> Tensor:
    """The array as a tensor without a copy, for reading only; a memory map stays one."""
    with warnings.catch_warnings():
        # PyTorch warns of read-only arrays, into which nobody here writes.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(array)
