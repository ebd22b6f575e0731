"""Floating-point operations of the model's matrix products, counted from its shapes.

A product of [M, K] and [K, N] counts 2 M K N. Left out, as is usual: the FFT, norms, softmax,
GELU and the optimizer, together about a hundredth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from dasheng_lib.features import MELS, WINDOW, frame_count
from dasheng_lib.masking import kept_tokens
from dasheng_lib.model.encoder import PATCH, EncoderConfig, token_count
from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.mae import MAEConfig, MaskedAutoencoder


def mel_flops(samples: int) -> int:
    """The mel filters of one clip."""
    return 2 * (WINDOW // 2 + 1) * MELS * frame_count(samples)


def block_flops(tokens: int, dim: int) -> int:
    """One transformer block on one chunk: the linear layers, and scores and sums of attention."""
    return 24 * tokens * dim**2 + 4 * tokens**2 * dim


def encoder_flops(config: EncoderConfig, samples: int) -> int:
    """The forward pass of one clip of ``samples`` at 16 kHz, without padding.

    For ``long_audio="short"``: full chunks, then one as long as it is.
    """
    tokens = token_count(samples)
    full, rest = divmod(tokens, config.positions)
    blocks = full * block_flops(config.positions, config.dim) + block_flops(rest, config.dim)
    return mel_flops(samples) + 2 * PATCH * config.dim * tokens + config.depth * blocks


def mixed_flops(config: EncoderConfig, samples: Sequence[int]) -> int:
    """The forward pass of clips of any lengths, each as if alone."""
    return sum(encoder_flops(config, n) for n in samples)


def training_flops(encoder: EncoderConfig, mae: MAEConfig, samples: int) -> int:
    """One clip's share of a pretraining step: forward, and twice that backward.

    The encoder works on the kept tokens, the decoder on all. The mel filters are not trained
    and counted once; what attention computes again on the way back is not counted.
    """
    T = token_count(samples)
    K = kept_tokens(T, mae.mask_ratio, mae.group)
    d = mae.decoder_dim
    forward = (
        2 * PATCH * encoder.dim * T
        + encoder.depth * block_flops(K, encoder.dim)
        + 2 * encoder.dim * d * K
        + mae.decoder_depth * block_flops(T, d)
        + 2 * d * PATCH * T
    )
    return mel_flops(samples) + 3 * forward


def step_flops(model: Objective, samples: int) -> int:
    """One clip's share of a pretraining step: by formula where there is one, else counted."""
    if isinstance(model, MaskedAutoencoder):
        return training_flops(model.encoder.config, model.config, samples)
    return counted_training_flops(model, samples)


def counted_training_flops(model: Objective, samples: int) -> int:
    """As :func:`training_flops`, of any family: counted by torch while one clip of noise runs.

    Convolutions count too; the FFT by which waveform networks place their frames does not, and of
    HuBERT's second iteration the teacher does.
    """
    generator = torch.Generator().manual_seed(0)
    wave_BN = torch.randn(1, samples, generator=generator)
    training = model.training
    model.eval()  # so that no norm learns from noise
    with FlopCounterMode(display=False) as counter:
        model(wave_BN, noise=model.draw_noise(1, samples, generator, 1.0)).loss.backward()
    model.zero_grad(set_to_none=True)
    model.train(training)
    return counter.get_total_flops()
