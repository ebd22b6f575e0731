"""A linear map behind an encoder, after which no direction of its clips' vectors drowns the others.

An encoder's few leading directions carry most of its variance: pitch and level of a voice, say,
more than the word. k-NN by cosine and a penalised linear probe both listen to what is loud.
Dividing each principal component by its deviation makes all directions alike (*ZCA whitening*,
Kessy et al. 2018); by a power of it below 1, more alike. The map is fitted without labels, costs
D x D products a token, and the mean of mapped tokens is the mapped mean. The last layer norm
leaves one direction empty; it stays so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from dasheng_lib.model.encoder import Encoder
from dasheng_lib.rank.interventions import flatten

POWER = 0.75  # what pocket chooses for nano, see its model card


def whiten(encoder: Encoder, Z_ND: np.ndarray, power: float = POWER) -> Encoder:
    """Put a whitening behind an encoder, in place.

    Args:
        Z_ND: its vectors of some clips before, at least 2 and better ten times D; no labels.
        power: each principal component is divided by its deviation to this power: 0 only
            centres, 1 whitens wholly and raises noise with the rest.

    Raises:
        ValueError: it is whitened already, or the rows are not of its width.
    """
    if encoder.config.whitened:
        raise ValueError("the encoder is whitened already")
    if np.shape(Z_ND)[1:] != (encoder.dim,):
        raise ValueError(f"rows are {encoder.dim} wide, got {[*np.shape(Z_ND)]}")
    map_ = flatten(Z_ND, power)
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
