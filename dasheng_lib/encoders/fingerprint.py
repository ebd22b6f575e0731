"""A hash of a network's weights, for addresses in the cache."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn


def state_digest(module: nn.Module) -> str:
    """First 16 hex digits of a hash of every parameter and buffer, by name, shape and type."""
    hashed = hashlib.sha256()
    tensors: dict[str, Tensor] = {**dict(module.named_buffers()), **dict(module.named_parameters())}
    for name, value in sorted(tensors.items()):
        value = value.detach().cpu().contiguous()
        hashed.update(f"{name} {list(value.shape)} {value.dtype}".encode())
        hashed.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()[:16]
