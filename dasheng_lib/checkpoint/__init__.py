"""Weights on disk: ours, and the published ones."""

from dasheng_lib.checkpoint.weights import (
    load_autoencoder,
    load_objective,
    load_published,
    save_weights,
)

__all__ = [
    "load_autoencoder",
    "load_objective",
    "load_published",
    "save_weights",
]
