"""Counted floating-point operations agree with those that torch sees."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dasheng_lib.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.model import PRESETS, Encoder, EncoderConfig
from dasheng_lib.train.flops import encoder_flops, mel_flops, mixed_flops, training_flops

SMALL = EncoderConfig(dim=32, depth=2, heads=2)


def counted(act):
    # torch counts the products of this form of attention, and nothing of the fused CPU kernel.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        act()
    return counter.get_total_flops()


@pytest.mark.parametrize("samples", [480, 16000, 161_280, 170_000, 480_000])
def test_forward(samples):
    encoder = Encoder(SMALL).eval()
    assert encoder_flops(SMALL, samples) == counted(lambda: encoder(torch.randn(1, samples)))


def test_clips_of_mixed_length_cost_what_they_cost_alone():
    """Nothing is spent on padding, but for the mel filters."""
    encoder, lengths = Encoder(SMALL).eval(), [480, 50_000, 170_000]
    wave = torch.randn(3, max(lengths))
    padding = sum(mel_flops(max(lengths)) - mel_flops(n) for n in lengths)
    spent = counted(lambda: encoder(wave, torch.tensor(lengths)))
    assert spent == mixed_flops(SMALL, lengths) + padding


def test_training_step():
    model, mae = MaskedAutoencoder(Encoder(SMALL), MAEConfig(16, 1, 2)), MAEConfig(16, 1, 2)
    generator = torch.Generator().manual_seed(0)
    spent = counted(lambda: model(torch.randn(2, 160_000), generator).loss.backward())
    assert 2 * training_flops(SMALL, mae, 160_000) == spent


def test_base_on_ten_seconds():
    """By hand: 250 tokens, 12 blocks of width 768, the patches and the mel filters."""
    linear = 250 * (12 * 12 * 768**2 + 256 * 768)
    attention = 12 * 2 * 250**2 * 768
    assert encoder_flops(PRESETS["base"], 160_000) == 2 * (linear + attention + 257 * 64 * 1001)
