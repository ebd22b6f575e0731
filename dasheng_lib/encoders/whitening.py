"""A linear map behind an encoder, after which its clips' vectors have covariance 1.

An encoder's few leading directions carry most of its variance: pitch and level of a voice, say,
more than the word. k-NN by cosine and a penalised linear probe both listen to what is loud.
Dividing each principal component by its deviation makes all directions alike. It is fitted
without labels (*ZCA whitening*, Kessy et al. 2018), costs D x D products a token, and the mean of
whitened tokens is the whitened mean. The last layer norm leaves one direction empty; it stays so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from dasheng_lib.model.encoder import Encoder
from dasheng_lib.rank.interventions import fit


def whiten(encoder: Encoder, Z_ND: np.ndarray) -> Encoder:
    """Put a whitening behind an encoder, in place.

    Args:
        Z_ND: its vectors of some clips before, at least 2 and better ten times D; no labels.

    Raises:
        ValueError: it is whitened already, or the rows are not of its width.
    """
    if encoder.config.whitened:
        raise ValueError("the encoder is whitened already")
    if np.shape(Z_ND)[1:] != (encoder.dim,):
        raise ValueError(f"rows are {encoder.dim} wide, got {[*np.shape(Z_ND)]}")
    map_ = fit("whiten", Z_ND)
    linear = nn.Linear(encoder.dim, encoder.dim)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(map_.matrix_DD.T))
        linear.bias.copy_(torch.from_numpy(-map_.shift_D @ map_.matrix_DD))
    encoder.whiten, encoder.config = linear, replace(encoder.config, whitened=True)
    return encoder


def unwhitened(encoder: nn.Module) -> nn.Module:
    """An encoder without the whitening behind it, changed in place; others stay as they are."""
    if isinstance(encoder, Encoder) and encoder.config.whitened:
        encoder.whiten, encoder.config = nn.Identity(), replace(encoder.config, whitened=False)
    return encoder
